"""Service Quotas, which moto knows only in part."""

from __future__ import annotations

import json

from sandbox.aws.rules import QUOTAS, Rules
from sandbox.aws.wire import Answer, Refused, Request

_KIND = "application/x-amz-json-1.1"


def handle(request: Request, rules: Rules) -> Answer:
    """Answer GetServiceQuota and ListServiceQuotas."""
    service, code = request.data.get("ServiceCode"), str(request.data.get("QuotaCode", ""))
    if request.action == "GetServiceQuota":
        if code not in QUOTAS or QUOTAS[code][0] != service:
            raise Refused("NoSuchResourceException", "The request failed because the specified quota does not exist.")
        return _answer({"Quota": _quota(code, rules)})
    if request.action == "ListServiceQuotas":
        return _answer({"Quotas": [_quota(each, rules) for each in QUOTAS if QUOTAS[each][0] == service]})
    raise Refused("InvalidAction", f"The sandbox knows no {request.action}")


def _quota(code: str, rules: Rules) -> dict[str, object]:
    service, name, _ = QUOTAS[code]
    return {
        "ServiceCode": service,
        "QuotaCode": code,
        "QuotaName": name,
        "Value": rules.quota(code),
        "Unit": "None",
        "Adjustable": True,
        "GlobalQuota": False,
    }


def _answer(data: dict[str, object]) -> Answer:
    return Answer(200, json.dumps(data).encode(), _KIND)
