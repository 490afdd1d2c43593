"""Sign people in, move them between projects, and let them manage members, projects and tokens."""

from __future__ import annotations

from typing import Any, cast

from django.contrib import messages
from django.contrib.auth import update_session_auth_hash
from django.contrib.auth.views import LoginView
from django.db import transaction
from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from apps.tenancy import services
from apps.tenancy.access import Principal, choose_organization, find_project, require
from apps.tenancy.auditing import record
from apps.tenancy.faults import Fault
from apps.tenancy.forms import MemberForm, OwnPasswordForm, ProjectForm, SignInForm, TokenForm, UserForm, take_over
from apps.tenancy.models import ApiToken, Membership, Project, Role, User
from apps.tenancy.pages import enter_organization, enter_project, find, flash_fault, page, rows_of, safe_next
from apps.tenancy.templatetags.ui import THEMES

SECTION = {"section": "settings"}
THEME_COOKIE_S = 365 * 86_400


class SignIn(LoginView):
    """Sign in by name and password; guesses are braked by the portal's middleware."""

    template_name = "tenancy/sign_in.html"
    authentication_form = SignInForm
    redirect_authenticated_user = True


@require_POST
@page
def enter(request: HttpRequest, principal: Principal) -> HttpResponseBase:
    """Go to another project, or to another organization."""
    if request.POST.get("organization"):
        enter_organization(request, choose_organization(request, request.POST["organization"]))
    elif request.POST.get("project"):
        enter_project(request, find_project(principal, request.POST["project"]))
    return redirect(safe_next(request))


@require_GET
@page
def settings_start(request: HttpRequest, principal: Principal) -> HttpResponseBase:
    """Start with what everybody has."""
    return redirect("profile")


@sensitive_post_parameters()
@require_http_methods(["GET", "POST"])
@page
def profile(request: HttpRequest, principal: Principal) -> HttpResponseBase:
    """Show one's own account: roles, theme, language, password."""
    user = cast(User, request.user)
    form = OwnPasswordForm(user, request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        with transaction.atomic():
            form.save()
            record(principal, "user.password", "user", user.pk, user.username, {})
        update_session_auth_hash(request, user)
        messages.success(request, _("Your password was changed. Other sessions of yours are signed out."))
        return redirect("profile")
    roles = Membership.objects.visible_to(principal).filter(user=user).select_related("project", "organization")
    context = {"form": form, "roles": roles, "tab": "profile"}
    return render(request, "tenancy/profile.html", SECTION | context, status=422 if form.errors else 200)


@require_POST
@page
def choose_theme(request: HttpRequest, principal: Principal) -> HttpResponseBase:
    """Keep the theme in a cookie, so that the first paint has it already."""
    chosen = request.POST.get("theme", "")
    response = redirect("profile")
    if chosen in THEMES:
        response.set_cookie("theme", chosen, max_age=THEME_COOKIE_S, samesite="Lax", secure=request.is_secure())
    else:
        response.delete_cookie("theme", samesite="Lax")
    return response


@require_http_methods(["GET", "POST"])
@page
def tokens(request: HttpRequest, principal: Principal) -> HttpResponseBase:
    """List one's tokens, and issue a new one, whose text is shown this once."""
    form = TokenForm(principal, request.POST if request.method == "POST" else None)
    secret = fresh = None
    status = 200
    if request.method == "POST":
        status = 422
        if form.is_valid():
            try:
                fresh, secret = services.issue_token(
                    principal,
                    form.cleaned_data["name"],
                    Role(form.cleaned_data["role"]),
                    project=form.cleaned_data["project"],
                    expires_at=form.expires_at(),
                )
            except Fault as error:
                if not take_over(form, error.params):
                    form.add_error(None, error.message)
            else:
                form, status = TokenForm(principal), 201
    mine = ApiToken.objects.visible_to(principal).select_related("project", "user")
    everybody = principal.may(Role.ADMIN) and request.GET.get("of") == "all"
    if not everybody:
        mine = mine.filter(user=principal.user)
    context = {
        "form": form,
        "secret": secret,
        "fresh": fresh,
        "rows": rows_of(request, mine),
        "now": timezone.now(),
        "everybody": everybody,
        "is_admin": principal.may(Role.ADMIN),
        "tab": "tokens",
    }
    response = render(request, "tenancy/tokens.html", SECTION | context, status=status)
    if secret:
        response.headers["Cache-Control"] = "no-store"
    return response


@require_POST
@page
def revoke_token(request: HttpRequest, principal: Principal, token_id: Any) -> HttpResponseBase:
    """Make a token worthless."""
    token = find(ApiToken.objects.select_related("user"), principal, pk=token_id)
    services.revoke_token(principal, token)
    messages.success(request, _("Token “%(name)s” was revoked; nothing can use it any more.") % {"name": token.name})
    return redirect("tokens")


@require_http_methods(["GET", "POST"])
@page
def members(request: HttpRequest, principal: Principal) -> HttpResponseBase:
    """List who has which role; administrators give roles here."""
    is_admin = principal.may(Role.ADMIN)
    form = MemberForm(principal, request.POST if request.method == "POST" else None)
    status = 200
    if request.method == "POST":
        require(principal, Role.ADMIN)
        status = 422
        if form.is_valid():
            try:
                user = services.find_user(form.cleaned_data["username"])
                services.add_member(principal, user, Role(form.cleaned_data["role"]), form.cleaned_data["project"])
            except Fault as error:
                field = "username" if error.code.startswith("member.") else None
                form.add_error(field, error.message)
            else:
                messages.success(request, _("%(name)s was added.") % {"name": user.username})
                return redirect("members")
    rows = (
        Membership.objects.visible_to(principal)
        .select_related("user", "project")
        .order_by("user__username", "created_at", "id")
    )
    context = {
        "form": form,
        "rows": rows_of(request, rows),
        "roles": Role.choices,
        "is_admin": is_admin,
        "tab": "members",
    }
    return render(request, "tenancy/members.html", SECTION | context, status=status)


@require_POST
@page
def change_member(request: HttpRequest, principal: Principal, membership_id: Any) -> HttpResponseBase:
    """Give a member another role, or take it away."""
    membership = find(Membership.objects.select_related("user", "project", "organization"), principal, pk=membership_id)
    name = {"name": membership.user.username}
    try:
        if request.POST.get("remove"):
            services.remove_member(principal, membership)
            messages.success(request, _("%(name)s was removed.") % name)
        elif request.POST.get("role") in Role.values:
            services.change_role(principal, membership, Role(request.POST["role"]))
            messages.success(request, _("The role of %(name)s was changed.") % name)
    except Fault as error:
        flash_fault(request, error)
    return redirect("members")


@sensitive_post_parameters()
@require_http_methods(["GET", "POST"])
@page
def new_user(request: HttpRequest, principal: Principal) -> HttpResponseBase:
    """Create a person who can sign in, as a member of the organization."""
    require(principal, Role.ADMIN)
    form = UserForm(request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        values = form.cleaned_data
        try:
            with transaction.atomic():
                user = services.create_user(principal, values["username"], values["password"], values["email"])
                services.add_member(principal, user, Role(values["role"]))
        except Fault as error:
            if error.code == "name_taken":
                form.add_error("username", error.message)
            elif not take_over(form, error.params):
                form.add_error(None, error.message)
        else:
            messages.success(request, _("%(name)s can sign in now.") % {"name": user.username})
            return redirect("members")
    context = {"form": form, "tab": "members"}
    return render(request, "tenancy/user_new.html", SECTION | context, status=422 if form.errors else 200)


@require_http_methods(["GET", "POST"])
@page
def projects(request: HttpRequest, principal: Principal) -> HttpResponseBase:
    """List the projects one may see; administrators add some here."""
    form = ProjectForm(request.POST if request.method == "POST" else None)
    if request.method == "POST":
        require(principal, Role.ADMIN)
        if form.is_valid():
            try:
                project = services.create_project(principal, form.cleaned_data["slug"], form.cleaned_data["name"])
            except Fault as error:
                if error.code == "name_taken":
                    form.add_error("slug", error.message)
                elif not take_over(form, error.params):
                    form.add_error(None, error.message)
            else:
                enter_project(request, project)
                messages.success(
                    request, _("Project “%(name)s” was created; you are in it now.") % {"name": project.name}
                )
                return redirect("projects")
    context = {
        "form": form,
        "rows": rows_of(request, Project.objects.visible_to(principal)),
        "is_admin": principal.may(Role.ADMIN),
        "tab": "projects",
    }
    return render(request, "tenancy/projects.html", SECTION | context, status=422 if form.errors else 200)
