"""What deployed machines ask of the portal: their secrets, once, over HTTPS."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from apps.deployments import grants
from apps.tenancy.api.problems import ProblemResponse
from apps.tenancy.faults import Fault, fault


@csrf_exempt  # no cookie plays a part: the token in the header is the whole proof
@never_cache
@require_POST
def secrets(request: HttpRequest) -> HttpResponse:
    """Hand out a machine's secrets for its one-time token: ``{path: base64}``.

    ``Authorization: Bearer <token>`` and ``X-Escale-Machine: <BIOS UUID>``. Refusals never say which of them was wrong.
    """
    try:
        if not request.is_secure():
            raise fault("fetch.insecure")
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not token or len(token) > 200:
            raise fault("fetch.refused")
        machine = request.headers.get("X-Escale-Machine", "")[:64]
        return JsonResponse(grants.redeem(token.strip(), machine, request.META.get("REMOTE_ADDR") or None))
    except Fault as refused:
        return ProblemResponse(refused, request.path)
