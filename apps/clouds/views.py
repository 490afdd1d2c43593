"""Show clouds with their health and room, and let administrators add, test, change and share them."""

from __future__ import annotations

import uuid
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from apps.clouds import certificates, circuits, holdings, kinds, mapping, services, sharing, showing
from apps.clouds.forms import CloudChangeForm, CloudForm, CredentialForm, ShareForm, checked_flavour
from apps.clouds.models import Cloud, CloudGrant, Credential
from apps.tenancy.access import Principal, require
from apps.tenancy.faults import Fault, fault
from apps.tenancy.forms import take_over
from apps.tenancy.models import Role
from apps.tenancy.pages import find, flash_fault, page, rows_of

SECTION = {"section": "clouds"}
ON_THE_MAP = 500


@require_GET
@page
def index(request: HttpRequest, principal: Principal) -> HttpResponseBase:
    """List the clouds that can be deployed to, on a map and with their health and room."""
    visible = Cloud.objects.visible_to(principal).select_related("organization")
    rows = rows_of(request, visible)
    pairs = [(cloud, services.capacity(cloud)) for cloud in rows]
    placed = visible.filter(latitude__isnull=False, longitude__isnull=False).defer("inventory", "ca_pem")
    on_map = list(placed.order_by("name", "pk")[:ON_THE_MAP])
    down = [cloud for cloud, _room in pairs if cloud.enabled and cloud.health and not cloud.health.get("ok")]
    offers = []
    if principal.may(Role.ADMIN):
        offers = list(
            CloudGrant.objects.visible_to(principal)
            .filter(accepted_at__isnull=True)
            .select_related("cloud__organization")[:20]
        )
    context = {
        "rows": rows,
        "pairs": pairs,
        "down": down,
        "pins": mapping.pins(on_map),
        "on_map": on_map,
        "map_width": int(mapping.WIDTH),
        "map_height": int(mapping.HEIGHT),
        "offers": offers,
        "own": principal.organization,
        "is_admin": principal.may(Role.ADMIN),
    }
    return render(request, "clouds/list.html", SECTION | context)


@require_GET
@page
def detail(request: HttpRequest, principal: Principal, name: str) -> HttpResponseBase:
    """Show a cloud: how it is, what it has, what is used."""
    return _show(request, principal, _cloud(principal, name))


def _show(request: HttpRequest, principal: Principal, cloud: Cloud) -> HttpResponse:
    inside = cloud.organization_id == principal.organization.pk
    is_admin = inside and principal.may(Role.ADMIN)
    circuit = circuits.read([cloud.pk])[cloud.pk]
    context: dict[str, Any] = {
        "cloud": cloud,
        "room": services.capacity(cloud),
        "inventory": cloud.inventory or {},
        "health": showing.health_for(principal, cloud, circuit),
        "report": showing.report(cloud) if inside else [],
        "findings": showing.findings(cloud) if is_admin or (inside and (cloud.health or {}).get("ok")) else [],
        "circuit": circuit,
        "inside": inside,
        "is_admin": is_admin,
        "may_test": inside and principal.may(Role.OPERATOR),
    }
    if inside:
        context["credential"] = Credential.objects.filter(cloud=cloud).defer("sealed").first()
        context["usage"] = [row for row in holdings.used(cloud) if row["limit"] is not None]
        context["asked"] = showing.asked(cloud)
    if is_admin:
        context["grants"] = list(cloud.grants.all()[:50])
    return render(request, "clouds/detail.html", SECTION | context)


@sensitive_post_parameters()
@require_http_methods(["GET", "POST"])
@page
def new(request: HttpRequest, principal: Principal) -> HttpResponseBase:
    """Choose a kind, say where the cloud is and what signs in, then ask it how it is."""
    require(principal, Role.ADMIN)
    kind = kinds.find(request.GET.get("kind", ""))
    if kind is None or kind not in kinds.known():
        return render(request, "clouds/kinds.html", SECTION | {"kinds": kinds.known()})
    flavour = checked_flavour(kind, request.GET.get("flavour", ""))
    form = CloudForm(kind, _with_pin(request) if request.method == "POST" else None)
    shown: dict[str, Any] = {}
    if request.method == "POST" and "look" in request.POST:
        # Without a script the button posts the whole form; what was typed stays, the password has to be typed again.
        form = CloudForm(kind, initial=request.POST.dict())
        shown = _looked_at(principal, request.POST.get("address", ""))
    elif request.method == "POST" and form.is_valid():
        try:
            cloud = services.register_cloud(principal, flavour=flavour, **form.values())
        except Fault as error:
            _complain(form, error)
        else:
            health = services.refresh(cloud)
            if health.ok:
                messages.success(request, _("%(name)s was added and answers.") % {"name": cloud.name})
            else:
                text = _("%(name)s was added, but does not answer yet: %(why)s")
                messages.warning(request, text % {"name": cloud.name, "why": health.summary})
            return redirect("cloud", cloud.name)
    context = {"form": form, "kind": kind, "flavour": flavour, "flavour_title": _title_of(kind, flavour), **shown}
    return render(request, "clouds/new.html", SECTION | context, status=422 if form.errors else 200)


@require_POST
@page
def certificate(request: HttpRequest, principal: Principal) -> HttpResponseBase:
    """Show the certificate of an address, as a part of the form that asks for it."""
    require(principal, Role.ADMIN)
    return render(request, "clouds/_certificate.html", _looked_at(principal, request.POST.get("address", "")))


def _looked_at(principal: Principal, address: str) -> dict[str, Any]:
    try:
        return {"certificate": certificates.presented(principal, address)}
    except Fault as error:
        return {"certificate_fault": error}


@sensitive_post_parameters()
@require_http_methods(["GET", "POST"])
@page
def edit(request: HttpRequest, principal: Principal, name: str) -> HttpResponseBase:
    """Change what is known about a cloud."""
    require(principal, Role.ADMIN)
    cloud = _own(principal, name)
    kind = kinds.find(cloud.kind)
    if kind is None:
        raise fault("not_found")
    form = CloudChangeForm.of(kind, cloud)
    shown: dict[str, Any] = {}
    if request.method == "POST" and "look" in request.POST:
        form = CloudChangeForm(kind, initial=request.POST.dict())
        shown = _looked_at(principal, request.POST.get("address", ""))
    elif request.method == "POST":
        form = CloudChangeForm(kind, _with_pin(request))
        if form.is_valid():
            values = form.values(cloud)
            if form.cleaned_data["password"]:
                values |= {"username": form.cleaned_data["username"], "password": form.cleaned_data["password"]}
            try:
                services.update_cloud(principal, cloud, **values)
            except Fault as error:
                _complain(form, error)
            else:
                messages.success(request, _("%(name)s was changed.") % {"name": cloud.name})
                return redirect("cloud", cloud.name)
    context = {"form": form, "kind": kind, "cloud": cloud, **shown}
    return render(request, "clouds/edit.html", SECTION | context, status=422 if form.errors else 200)


@sensitive_post_parameters()
@require_http_methods(["GET", "POST"])
@page
def credential(request: HttpRequest, principal: Principal, name: str) -> HttpResponseBase:
    """Exchange a cloud's credential."""
    require(principal, Role.ADMIN)
    cloud = _own(principal, name)
    form = CredentialForm(kinds.find(cloud.kind), request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        try:
            services.rotate_credential(principal, cloud, **form.cleaned_data)
        except Fault as error:
            _complain(form, error)
        else:
            text = _("The credential of %(name)s was exchanged; the next call uses the new one.")
            messages.success(request, text % {"name": cloud.name})
            return redirect("cloud", cloud.name)
    context = {"form": form, "cloud": cloud}
    return render(request, "clouds/credential.html", SECTION | context, status=422 if form.errors else 200)


@require_POST
@page
def test(request: HttpRequest, principal: Principal, name: str) -> HttpResponseBase:
    """Ask the cloud now whether it answers, with the stored credential; its page shows the report."""
    require(principal, Role.OPERATOR)
    cloud = _own(principal, name)
    health = services.test_connection(cloud)
    if health.ok:
        messages.success(request, _("%(name)s answers: %(what)s") % {"name": cloud.name, "what": health.summary})
    else:
        _flash_trouble(request, principal, cloud)
    return redirect("cloud", cloud.name)


@require_POST
@page
def read(request: HttpRequest, principal: Principal, name: str) -> HttpResponseBase:
    """Read anew what the cloud has."""
    require(principal, Role.OPERATOR)
    cloud = _own(principal, name)
    health = services.refresh(cloud)
    if health.ok:
        messages.success(request, _("%(name)s was read.") % {"name": cloud.name})
    else:
        _flash_trouble(request, principal, cloud)
    return redirect("cloud", cloud.name)


@require_POST
@page
def switch(request: HttpRequest, principal: Principal, name: str) -> HttpResponseBase:
    """Switch a cloud off for new plans, or on again."""
    cloud = _own(principal, name)
    enabled = request.POST.get("enabled") == "1"
    services.update_cloud(principal, cloud, enabled=enabled)
    said = _("%(name)s can be used again.") if enabled else _("Nothing new is planned for %(name)s any more.")
    messages.success(request, said % {"name": cloud.name})
    return redirect("cloud", cloud.name)


@require_http_methods(["GET", "POST"])
@page
def remove(request: HttpRequest, principal: Principal, name: str) -> HttpResponseBase:
    """Ask, then remove a cloud on which nothing lives."""
    require(principal, Role.ADMIN)
    cloud = _own(principal, name)
    if request.method == "POST":
        if request.POST.get("confirm", "").strip() != cloud.name:
            messages.error(request, _("Type %(name)s to confirm; nothing was changed.") % {"name": cloud.name})
            return redirect("cloud-remove", cloud.name)
        try:
            services.remove_cloud(principal, cloud)
        except Fault as error:
            flash_fault(request, error)
            return redirect("cloud", cloud.name)
        messages.success(request, _("%(name)s was removed from the portal.") % {"name": cloud.name})
        return redirect("clouds")
    context = {"cloud": cloud, "used_by": services.used_by(cloud)}
    return render(request, "clouds/remove.html", SECTION | context)


@require_http_methods(["GET", "POST"])
@page
def share(request: HttpRequest, principal: Principal, name: str) -> HttpResponseBase:
    """Show whom a cloud is offered to, offer it to more, or take an offer back."""
    require(principal, Role.ADMIN)
    cloud = _own(principal, name)
    if request.method == "POST" and "own" in request.POST:
        try:
            services.update_cloud(principal, cloud, projects=request.POST.getlist("projects"))
        except Fault as error:
            flash_fault(request, error)
        else:
            messages.success(request, _("Who of your own organization may deploy to it was changed."))
        return redirect("cloud-share", cloud.name)
    form = ShareForm(request.POST if request.method == "POST" and "take_back" not in request.POST else None)
    if request.method == "POST" and "take_back" in request.POST:
        try:
            sharing.unshare(principal, cloud, request.POST["take_back"])
        except Fault as error:
            flash_fault(request, error)
        else:
            messages.success(request, _("The offer was taken back."))
        return redirect("cloud-share", cloud.name)
    if form.is_bound and form.is_valid():
        try:
            grant = sharing.share(principal, cloud, **form.cleaned_data)
        except Fault as error:
            _complain(form, error)
        else:
            text = _(
                "%(name)s is offered to %(whom)s. An administrator of theirs finds the offer on the page of clouds."
            )
            messages.success(request, text % {"name": cloud.name, "whom": grant})
            return redirect("cloud-share", cloud.name)
    projects = list(cloud.organization.projects.order_by("name")[:500])
    context = {"form": form, "cloud": cloud, "grants": list(cloud.grants.all()[:500]), "projects": projects}
    return render(request, "clouds/share.html", SECTION | context, status=422 if form.errors else 200)


@require_POST
@page
def answer(request: HttpRequest, principal: Principal, grant_id: uuid.UUID) -> HttpResponseBase:
    """Accept an offered cloud, decline it, or give an accepted one back."""
    require(principal, Role.ADMIN)
    grant: CloudGrant = find(CloudGrant.objects.select_related("cloud"), principal, pk=grant_id)
    try:
        if request.POST.get("answer") == "accept":
            sharing.accept(principal, grant)
            messages.success(request, _("%(name)s can be deployed to now.") % {"name": grant.cloud.name})
            return redirect("cloud", grant.cloud.name)
        sharing.decline(principal, grant)
        messages.success(request, _("%(name)s was declined.") % {"name": grant.cloud.name})
    except Fault as error:
        flash_fault(request, error)
    return redirect("clouds")


def _cloud(principal: Principal, name: str) -> Cloud:
    found: Cloud = find(Cloud.objects.select_related("organization"), principal, name=name)
    return found


def _own(principal: Principal, name: str) -> Cloud:
    """Return a cloud of the principal's own organization: what others share has no other page here."""
    cloud = _cloud(principal, name)
    if cloud.organization_id != principal.organization.pk:
        raise fault("not_found")
    return cloud


def _flash_trouble(request: HttpRequest, principal: Principal, cloud: Cloud) -> None:
    shown = showing.health_for(principal, cloud) or {}
    messages.error(request, str(shown.get("summary", "")), extra_tags=str(shown.get("code") or ""))


def _with_pin(request: HttpRequest) -> Any:
    """Return what was posted; a certificate that was confirmed is the fingerprint that nobody had to type."""
    posted = request.POST.copy()
    if posted.get("pin") and not posted.get("thumbprint", "").strip():
        posted["thumbprint"] = str(posted["pin"])
    return posted


def _title_of(kind: kinds.Kind, flavour: str) -> Any:
    return kind.flavours[flavour][0] if flavour in kind.flavours else kind.title


def _complain(form: Any, error: Fault) -> None:
    field_of = getattr(form, "field_of", lambda name: name)
    params = [{**param, "name": field_of(str(param["name"]))} for param in error.params]
    if take_over(form, params):
        return
    if error.code == "cloud.name_in_use":
        form.add_error("name", error.message)
    elif error.code == "cloud.address_refused" and "address" in form.fields:
        form.add_error("address", error.message)
    elif error.code == "cloud.credential_needed":
        form.add_error("password", error.message)
    else:
        form.add_error(None, error.message)
