"""Show clouds with their health and room, and let administrators add, test and change them."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from apps.clouds import services
from apps.clouds.forms import CloudChangeForm, CloudForm, CredentialForm
from apps.clouds.models import Cloud, Credential
from apps.tenancy.access import Principal, require
from apps.tenancy.faults import Fault
from apps.tenancy.forms import take_over
from apps.tenancy.models import Role
from apps.tenancy.pages import find, flash_fault, page, rows_of

SECTION = {"section": "clouds"}
PLACE = ("title", "flavour", "region", "address", "thumbprint", "ca_pem")


@require_GET
@page
def index(request: HttpRequest, principal: Principal) -> HttpResponseBase:
    """List the organization's clouds with their health and room."""
    rows = rows_of(request, Cloud.objects.visible_to(principal))
    pairs = [(cloud, services.capacity(cloud)) for cloud in rows]
    down = [cloud for cloud, _room in pairs if cloud.enabled and cloud.health and not cloud.health.get("ok")]
    context = {"rows": rows, "pairs": pairs, "down": down, "is_admin": principal.may(Role.ADMIN)}
    return render(request, "clouds/list.html", SECTION | context)


@require_GET
@page
def detail(request: HttpRequest, principal: Principal, name: str) -> HttpResponseBase:
    """Show a cloud: how it is, what it has, what is used."""
    return _show(request, principal, _cloud(principal, name))


def _show(request: HttpRequest, principal: Principal, cloud: Cloud) -> HttpResponse:
    context = {
        "cloud": cloud,
        "room": services.capacity(cloud),
        "inventory": cloud.inventory or {},
        "credential": Credential.objects.filter(cloud=cloud).defer("sealed").first(),
        "is_admin": principal.may(Role.ADMIN),
    }
    return render(request, "clouds/detail.html", SECTION | context)


@sensitive_post_parameters()
@require_http_methods(["GET", "POST"])
@page
def new(request: HttpRequest, principal: Principal) -> HttpResponseBase:
    """Register a cloud, then ask it how it is."""
    require(principal, Role.ADMIN)
    posted = request.POST if request.method == "POST" else None
    form, secret = CloudForm(posted), CredentialForm(posted)
    if posted is not None and form.is_valid() and secret.is_valid():
        values = {name: form.cleaned_data[name] for name in (*PLACE, "name", "kind")}
        try:
            cloud = services.register_cloud(principal, **values, **secret.cleaned_data, defaults=form.defaults())
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
    status = 422 if form.errors or secret.errors else 200
    return render(request, "clouds/new.html", SECTION | {"form": form, "secret": secret}, status=status)


@sensitive_post_parameters()
@require_http_methods(["GET", "POST"])
@page
def edit(request: HttpRequest, principal: Principal, name: str) -> HttpResponseBase:
    """Change what is known about a cloud."""
    require(principal, Role.ADMIN)
    cloud = _cloud(principal, name)
    form = CloudChangeForm(request.POST) if request.method == "POST" else CloudChangeForm.of(cloud)
    if request.method == "POST" and form.is_valid():
        values: dict[str, Any] = {name: form.cleaned_data[name] for name in PLACE}
        if form.cleaned_data["password"]:
            values |= {"username": form.cleaned_data["username"], "password": form.cleaned_data["password"]}
        try:
            services.update_cloud(
                principal, cloud, **values, defaults=form.defaults(cloud.defaults), prices=form.prices()
            )
        except Fault as error:
            _complain(form, error)
        else:
            messages.success(request, _("%(name)s was changed.") % {"name": cloud.name})
            return redirect("cloud", cloud.name)
    context = {"form": form, "cloud": cloud}
    return render(request, "clouds/edit.html", SECTION | context, status=422 if form.errors else 200)


@sensitive_post_parameters()
@require_http_methods(["GET", "POST"])
@page
def credential(request: HttpRequest, principal: Principal, name: str) -> HttpResponseBase:
    """Exchange a cloud's credential."""
    require(principal, Role.ADMIN)
    cloud = _cloud(principal, name)
    form = CredentialForm(request.POST if request.method == "POST" else None)
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
    """Ask the cloud now whether it answers, with the stored credential."""
    require(principal, Role.ADMIN)
    cloud = _cloud(principal, name)
    health = services.test_connection(cloud)
    if health.ok:
        messages.success(request, _("%(name)s answers: %(what)s") % {"name": cloud.name, "what": health.summary})
    else:
        messages.error(request, health.summary, extra_tags=str(health.facts.get("code", "")))
    return redirect("cloud", cloud.name)


@require_POST
@page
def read(request: HttpRequest, principal: Principal, name: str) -> HttpResponseBase:
    """Read anew what the cloud has."""
    require(principal, Role.ADMIN)
    cloud = _cloud(principal, name)
    health = services.refresh(cloud)
    if health.ok:
        messages.success(request, _("%(name)s was read.") % {"name": cloud.name})
    else:
        messages.error(request, health.summary, extra_tags=str(health.facts.get("code", "")))
    return redirect("cloud", cloud.name)


@require_POST
@page
def switch(request: HttpRequest, principal: Principal, name: str) -> HttpResponseBase:
    """Switch a cloud off for new plans, or on again."""
    cloud = _cloud(principal, name)
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
    cloud = _cloud(principal, name)
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
    return render(request, "clouds/remove.html", SECTION | {"cloud": cloud})


def _cloud(principal: Principal, name: str) -> Cloud:
    found: Cloud = find(Cloud.objects.select_related("organization"), principal, name=name)
    return found


def _complain(form: Any, error: Fault) -> None:
    # “defaults.template” and “prices.currency” are fields of their own here.
    params = [{**param, "name": str(param["name"]).rpartition(".")[2]} for param in error.params]
    if not take_over(form, params):
        form.add_error("name" if error.code == "cloud.name_in_use" else None, error.message)
