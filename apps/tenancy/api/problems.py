"""Answer every error under /api/ as a problem document (RFC 9457), with the same codes as pages and terminals."""

from __future__ import annotations

import json
import logging
import math
from collections.abc import Iterator
from typing import Any

from django.conf import settings
from django.core.exceptions import PermissionDenied, RequestDataTooBig, SuspiciousOperation, ValidationError
from django.db import DatabaseError, OperationalError
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from rest_framework import exceptions
from rest_framework.views import set_rollback

from apps.tenancy.faults import Defect, Fault, fault, incident_id
from apps.tenancy.redaction import redact_text
from connectors.base import ConnectorError

log = logging.getLogger(__name__)

MEDIA_TYPE = "application/problem+json"
CHALLENGE = 'Bearer realm="escale"'


class ProblemResponse(HttpResponse):
    """Be the answer to a fault; `data` is its document."""

    def __init__(self, problem: Fault, instance: str) -> None:
        self.data = document(problem, instance)
        super().__init__(json.dumps(self.data, ensure_ascii=False), status=problem.status, content_type=MEDIA_TYPE)
        self.headers["Cache-Control"] = "no-store"
        if problem.status == 401:
            self.headers["WWW-Authenticate"] = CHALLENGE
        if problem.retry_after_s is not None:
            self.headers["Retry-After"] = str(math.ceil(problem.retry_after_s))


def document(problem: Fault, instance: str) -> dict[str, Any]:
    """Return the members of the problem document."""
    address = f"{settings.ESCALE_URL}/api/v1/problems/{problem.code}/"
    return {"type": address, "instance": instance, **problem.to_json()}


def exception_handler(exc: Exception, context: dict[str, Any]) -> HttpResponse:
    """Be DRF's exception handler: turn any exception of a view into a problem document."""
    set_rollback()
    request = context.get("request")
    return respond(exc, getattr(request, "path", ""), request)


def respond(exc: Exception, path: str, request: Any = None) -> ProblemResponse:
    """Return the answer to any exception; what is our own fault is logged under the number that is answered."""
    problem = fault_of(exc)
    if problem is None:
        problem = record_defect(exc, path)
    response = ProblemResponse(problem, path)
    if isinstance(exc, exceptions.MethodNotAllowed) and request is not None:
        parser = getattr(request, "parser_context", None) or {}
        view = parser.get("view")
        if view is not None:
            response.headers["Allow"] = ", ".join(view.allowed_methods)
    return response


def record_defect(exc: Exception, path: str) -> Fault:
    """Log what failed on our side, and return what may be told about it."""
    incident = incident_id()
    code = exc.code if isinstance(exc, Defect) else "internal"
    log.error("Incident %s (%s) at %s", incident, code, path, exc_info=exc, extra={"incident": incident})
    return fault("internal", incident=incident, extra={"incident": incident})


def fault_of(exc: Exception) -> Fault | None:
    """Return the fault that an exception means for the caller, or None when it is our own defect."""
    if isinstance(exc, Fault):
        if exc.status >= 500:
            log.warning("Fault %s: %s", exc.code, exc.detail)
        return exc
    if isinstance(exc, ConnectorError):
        return fault_of_connector(exc)
    if isinstance(exc, exceptions.ValidationError):
        return _invalid(exc.get_full_details())
    if isinstance(exc, ValidationError):
        messages = exc.message_dict if hasattr(exc, "error_dict") else {"": exc.messages}
        rows = [{"name": name, "reason": text, "code": "invalid"} for name, texts in messages.items() for text in texts]
        return fault("invalid", count=len(rows), params=rows)
    if isinstance(exc, OperationalError):
        log.error("The database does not answer: %s", type(exc).__name__)
        return fault("unavailable", retry_after_s=5)
    if isinstance(exc, DatabaseError):
        return None
    if isinstance(exc, RequestDataTooBig):
        return fault("too_large")
    if isinstance(exc, Http404 | exceptions.NotFound):
        return fault("not_found")
    if isinstance(exc, exceptions.NotAuthenticated | exceptions.AuthenticationFailed):
        return fault("not_authenticated")
    if isinstance(exc, PermissionDenied | exceptions.PermissionDenied):
        return Fault("forbidden", detail=str(getattr(exc, "detail", "")) or " ", hint=" ")
    if isinstance(exc, SuspiciousOperation):
        return fault("malformed", reason=type(exc).__name__)
    if isinstance(exc, exceptions.APIException):
        return _of_framework(exc)
    return None


def fault_of_connector(error: ConnectorError) -> Fault:
    """Return what a cloud's error means for whoever asked: the connector's own sentence under its own code."""
    problem = Fault(error.code, detail=redact_text(error.message), retry_after_s=error.retry_after)
    if problem.status == 400 and error.code != "cloud.invalid":
        problem.status = 502
    return problem


def _of_framework(exc: exceptions.APIException) -> Fault | None:
    match exc:
        case exceptions.ParseError():
            return fault("malformed", reason=str(exc.detail))
        case exceptions.MethodNotAllowed():
            return fault("method_not_allowed", method=str(exc.args[0]) if exc.args else "")
        case exceptions.NotAcceptable():
            return fault("not_acceptable")
        case exceptions.UnsupportedMediaType():
            return fault("unsupported_media_type", media_type=str(exc.args[0])[:100] if exc.args else "")
        case exceptions.Throttled():
            wait_s = math.ceil(getattr(exc, "wait", None) or 1)
            return fault("throttled", wait_s=wait_s, retry_after_s=wait_s)
    if exc.status_code < 500:
        return Fault("invalid", detail=str(exc.detail), status=exc.status_code)
    return None


def _invalid(details: Any) -> Fault:
    params = list(_flatten(details, ""))
    return fault("invalid", count=len(params), params=params)


def _flatten(details: Any, name: str) -> Iterator[dict[str, str]]:
    if isinstance(details, dict) and {"message", "code"} == set(details) and not isinstance(details["message"], dict):
        yield {"name": name, "reason": str(details["message"]), "code": str(details["code"])}
    elif isinstance(details, dict):
        for key, value in details.items():
            part = "" if key == "non_field_errors" else str(key)
            yield from _flatten(value, f"{name}.{part}".strip("."))
    elif isinstance(details, list):
        for index, item in enumerate(details):
            leaf = isinstance(item, dict) and {"message", "code"} == set(item)
            yield from _flatten(item, name if leaf else f"{name}.{index}".strip("."))


class ProblemMiddleware:
    """Turn what Django itself answers under /api/ (404, CSRF 403, 400, 500) into problem documents, too."""

    sync_capable = True
    async_capable = True

    def __init__(self, get_response: Any) -> None:
        from asgiref.sync import iscoroutinefunction, markcoroutinefunction

        self.get_response = get_response
        self.asynchronous = iscoroutinefunction(get_response)
        if self.asynchronous:
            markcoroutinefunction(self)

    def __call__(self, request: HttpRequest) -> Any:
        """Answer, and turn what went wrong below the framework into a problem document."""
        if self.asynchronous:
            return self._acall(request)
        return self._checked(request, self.get_response(request))

    async def _acall(self, request: HttpRequest) -> HttpResponseBase:
        return self._checked(request, await self.get_response(request))

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        """Answer what a view without DRF raised."""
        return respond(exception, request.path, request) if _concerns(request) else None

    def _checked(self, request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
        if not _concerns(request) or response.status_code < 400:
            return response
        if "json" in response.headers.get("Content-Type", ""):
            return response
        codes = {400: "malformed", 401: "not_authenticated", 403: "csrf", 404: "not_found", 413: "too_large"}
        if response.status_code in codes:
            code = codes[response.status_code]
            problem = fault(code, reason="HTTP") if code == "malformed" else fault(code)
        elif response.status_code >= 500:
            incident = incident_id()
            log.error("Incident %s at %s answered %s", incident, request.path, response.status_code)
            problem = fault("internal", incident=incident, extra={"incident": incident})
        else:
            return response
        return ProblemResponse(problem, request.path)


def _concerns(request: HttpRequest) -> bool:
    return request.path.startswith("/api/")
