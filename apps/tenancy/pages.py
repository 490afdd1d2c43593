"""Serve pages: who is asking, in which project, and what they see when a fault stops them."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import wraps
from types import SimpleNamespace
from typing import Any, Concatenate, ParamSpec, cast
from urllib.parse import urlsplit

from django.contrib import messages
from django.contrib.auth.views import redirect_to_login
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.utils.cache import patch_cache_control
from django.utils.http import url_has_allowed_host_and_scheme

from apps.tenancy.access import SESSION_KEY, Principal, organizations_of, principal_for
from apps.tenancy.api.pagination import CursorPage, refuse_nul
from apps.tenancy.faults import Fault, fault
from apps.tenancy.models import Organization, Project, User

PROJECT_SESSION_KEY = "project"
"""Where the session keeps the project that the user is looking at."""
PAGE_ROWS = 50

P = ParamSpec("P")
View = Callable[Concatenate[HttpRequest, P], HttpResponseBase]


def is_partial(request: HttpRequest) -> bool:
    """Tell whether htmx asks for a piece of a page and not for a whole one."""
    return bool(getattr(request, "htmx", False))


def page(view: Callable[Concatenate[HttpRequest, Principal, P], HttpResponseBase]) -> View[P]:
    """Give the view its principal; strangers are sent to sign in, faults become a page (or a piece, for htmx)."""

    @wraps(view)
    def inner(request: HttpRequest, *args: P.args, **kwargs: P.kwargs) -> HttpResponseBase:
        if not request.user.is_authenticated:
            return _to_sign_in(request)
        try:
            for given in (request.GET, request.POST):
                refuse_nul(given)
            response = view(request, principal_for(request), *args, **kwargs)
        except Fault as error:
            return fault_response(request, error)
        # What a page shows depends on who asks and on the moment: no cache may keep it for somebody else.
        patch_cache_control(cast(HttpResponse, response), private=True, no_cache=True)
        return response

    return cast("View[P]", inner)


def _to_sign_in(request: HttpRequest) -> HttpResponseBase:
    here = request.get_full_path()
    if is_partial(request):
        # A session that ran out under an open page: the whole page goes to the form, not a piece of it.
        current = urlsplit(request.headers.get("HX-Current-URL", ""))
        here = f"{current.path}?{current.query}" if current.query else current.path
        return HttpResponse(status=204, headers={"HX-Redirect": redirect_to_login(here or "/").headers["Location"]})
    return redirect_to_login(here if request.method in ("GET", "HEAD") else "/")


def fault_response(request: HttpRequest, error: Fault) -> HttpResponse:
    """Show a fault in the house style with its status; for htmx only the callout."""
    template = "ui/_fault.html" if is_partial(request) else "ui/fault.html"
    response = render(request, template, {"fault": error}, status=error.status)
    if error.retry_after_s is not None:
        response.headers["Retry-After"] = str(int(error.retry_after_s))
    return response


def flash_fault(request: HttpRequest, error: Fault) -> None:
    """Say on the next page what could not be done, and why."""
    reasons = [f"{param['name']} {param['reason']}" for param in error.params]
    messages.error(request, ". ".join([error.message, *reasons]), extra_tags=error.code)


def safe_next(request: HttpRequest, fallback: str = "/") -> str:
    """Return the address to go on to that the form names, if it is one of ours."""
    wanted = request.POST.get("next") or request.GET.get("next") or ""
    own = url_has_allowed_host_and_scheme(wanted, {request.get_host()}, require_https=request.is_secure())
    return wanted if own else fallback


@dataclass(frozen=True, slots=True)
class Frame:
    """Hold what stands around a page: who, where, and where else one could be."""

    principal: Principal
    organizations: list[Organization]
    projects: list[Project]
    project: Project | None


def frame_for(request: HttpRequest) -> Frame | None:
    """Return the frame of a signed-in member's page, or None; kept on the request."""
    known = getattr(request, "_frame", None)
    if known is not None:
        return cast(Frame, known)
    user = getattr(request, "user", None)
    if user is None or not user.is_authenticated:
        return None
    with contextlib.suppress(Fault):
        principal = principal_for(request)
        projects = list(Project.objects.visible_to(principal).select_related("organization"))
        frame = Frame(principal, organizations_of(cast(User, user)), projects, _chosen(request, projects))
        request._frame = frame  # type: ignore[attr-defined]
        return frame
    return None


def _chosen(request: HttpRequest, projects: list[Project]) -> Project | None:
    chosen = request.session.get(PROJECT_SESSION_KEY)
    return next((project for project in projects if str(project.pk) == chosen), projects[0] if projects else None)


def current_project(request: HttpRequest) -> Project:
    """Return the project that the session looks at, its first one by default; 404 fault when there is none."""
    frame = frame_for(request)
    if frame is None or frame.project is None:
        raise fault("project.not_found", name="-")
    return frame.project


def enter_project(request: HttpRequest, project: Project) -> None:
    """Make the project of the object that is shown the current one, so that the frame says where one is."""
    if request.session.get(PROJECT_SESSION_KEY) != str(project.pk):
        request.session[PROJECT_SESSION_KEY] = str(project.pk)
        frame = getattr(request, "_frame", None)
        if frame is not None:
            request._frame = None  # type: ignore[attr-defined]


def enter_organization(request: HttpRequest, organization: Organization) -> None:
    """Leave the project behind when the organization changes: it belongs to the other one."""
    request.session[SESSION_KEY] = str(organization.pk)
    request.session.pop(PROJECT_SESSION_KEY, None)


def find(queryset: QuerySet[Any], principal: Principal, **lookup: Any) -> Any:
    """Return the one object that the principal may see; 404 fault for strangers' objects and for none."""
    found = queryset.visible_to(principal).filter(**lookup).first()  # type: ignore[attr-defined]
    if found is None:
        raise fault("not_found")
    return found


@dataclass(frozen=True, slots=True)
class Rows:
    """Hold one page of a list, and the addresses of its neighbours (relative, or None)."""

    items: list[Any]
    next: str | None
    previous: str | None

    def __iter__(self) -> Any:
        return iter(self.items)

    def __len__(self) -> int:
        return len(self.items)


def rows_of(request: HttpRequest, queryset: QuerySet[Model], limit: int = PAGE_ROWS) -> Rows:
    """Return the page of a list that the address names, by the same cursors as the API's."""
    query = request.GET.copy()
    query.setdefault("limit", str(limit))
    pager = CursorPage()
    asked = SimpleNamespace(query_params=query, build_absolute_uri=request.get_full_path)
    items = pager.paginate_queryset(queryset, cast(Any, asked))
    return Rows(items, pager.next_link(), pager.previous_link())


def back(request: HttpRequest, to: str | Model, **context: Any) -> HttpResponse:
    """Redirect after a write, so that a reload repeats nothing; htmx is told to go there as a whole page."""
    response = redirect(to, **context)  # type: ignore[arg-type]  # our models have an address
    if is_partial(request):
        return HttpResponse(status=204, headers={"HX-Redirect": response.headers["Location"]})
    return response


def parts(text: str) -> Mapping[str, str]:
    """Split "what - why - what now" into its parts, so that a page can set them apart."""
    what, _, rest = text.partition(" - ")
    why, _, now = rest.partition(" - ")
    return {"what": what, "why": why, "now": now}
