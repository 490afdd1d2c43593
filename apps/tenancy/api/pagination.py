"""Give every list of the API one form, `{results, next, previous}`, by cursor: stable while rows come and go."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping, Sequence
from typing import Any

from django.core.exceptions import ValidationError
from django.db.models import Field, Model, Q, QuerySet
from django.http import QueryDict
from django.utils.translation import gettext as _
from rest_framework.pagination import BasePagination
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.utils.urls import remove_query_param, replace_query_param

from apps.tenancy.faults import Fault, fault

LIMIT = 100
LARGEST_LIMIT = 500
LONGEST_CURSOR = 1_000


class CursorPage(BasePagination):
    """Page by the values of the sort keys of the last row shown, the primary key last, so that no row is skipped.

    The sort keys are the view's `ordering`, or else the query's or the model's; none of them may be null. `limit`
    bounds a page: 100 unless told, 500 at most.
    """

    def paginate_queryset(self, queryset: Any, request: Request, view: Any = None) -> list[Any]:
        """Return the rows of the page that `cursor` names; faults: `invalid` for a cursor or limit that is not one."""
        self.address = request.build_absolute_uri()
        self.limit = _limit(request.query_params.get("limit"))
        self.keys = _keys(queryset, getattr(view, "ordering", None))
        backward, values = _decode(request.query_params.get("cursor"), queryset.model, self.keys)
        keys = [_flip(key) for key in self.keys] if backward else self.keys
        rows = queryset.order_by(*keys)
        if values is not None:
            rows = rows.filter(_beyond(keys, values))
        page = list(rows[: self.limit + 1])
        more = len(page) > self.limit
        page = page[: self.limit]
        if backward:
            page.reverse()
        self.page = page
        # An empty page came from a cursor whose neighbours are gone; the way back to where it came from stays open.
        self.has_next = more if not backward else True
        self.has_previous = more if backward else values is not None
        return page

    def get_paginated_response(self, data: Any) -> Response:
        """Return the page with the addresses of its neighbours."""
        return Response({"results": data, "next": self.next_link(), "previous": self.previous_link()})

    def next_link(self) -> str | None:
        """Return the address of the page after this one, or None at the end."""
        return self._link(self.page[-1], backward=False) if self.page and self.has_next else None

    def previous_link(self) -> str | None:
        """Return the address of the page before this one, or None at the start."""
        if not self.has_previous:
            return None
        if not self.page:
            return remove_query_param(self.address, "cursor")
        return self._link(self.page[0], backward=True)

    def _link(self, row: Any, *, backward: bool) -> str:
        values = [_value(row, key.lstrip("-")) for key in self.keys]
        text = json.dumps({"b": backward, "v": values}, separators=(",", ":"))
        cursor = base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")
        return replace_query_param(self.address, "cursor", cursor)

    def get_paginated_response_schema(self, schema: dict[str, Any]) -> dict[str, Any]:
        """Describe the page to the OpenAPI schema."""
        link = {"type": "string", "nullable": True, "format": "uri"}
        return {
            "type": "object",
            "required": ["results", "next", "previous"],
            "properties": {"results": schema, "next": link, "previous": link},
        }

    def get_schema_operation_parameters(self, view: Any) -> list[dict[str, Any]]:
        """Describe the parameters to the OpenAPI schema."""
        limit = {"type": "integer", "minimum": 1, "maximum": LARGEST_LIMIT, "default": LIMIT}
        return [
            {"name": "cursor", "in": "query", "required": False, "schema": {"type": "string"}},
            {"name": "limit", "in": "query", "required": False, "schema": limit},
        ]


def _limit(text: str | None) -> int:
    if text is None:
        return LIMIT
    if not (text.isascii() and text.isdigit() and len(text) < 10 and 1 <= int(text) <= LARGEST_LIMIT):
        raise invalid_parameter("limit", _("is not a whole number from 1 to %(largest)s") % {"largest": LARGEST_LIMIT})
    return int(text)


def invalid_parameter(name: str, reason: str) -> Fault:
    """Return the fault for one query parameter that cannot be used."""
    return fault("invalid", count=1, params=[{"name": name, "in": "query", "reason": reason, "code": "invalid"}])


def refuse_nul(given: QueryDict) -> None:
    """Turn away what PostgreSQL cannot even compare with, before any view puts it into a query."""
    for name, values in given.lists():
        if "\x00" in name or any("\x00" in value for value in values):
            raise invalid_parameter(name.replace("\x00", "\ufffd"), _("holds a NUL character"))


def _keys(queryset: QuerySet[Any], ordering: Sequence[str] | None) -> list[str]:
    keys = [str(key) for key in (ordering or queryset.query.order_by or queryset.model._meta.ordering or ())]
    primary = queryset.model._meta.pk.attname
    if not any(key.lstrip("-") in ("pk", primary) for key in keys):
        keys.append(primary)
    return keys


def _flip(key: str) -> str:
    return key[1:] if key.startswith("-") else f"-{key}"


def _beyond(keys: Sequence[str], values: Sequence[Any]) -> Q:
    """Return the condition for rows that come after the values in the order of the keys."""
    condition = Q()
    for key, value in reversed(list(zip(keys, values, strict=True))):
        name, after = key.lstrip("-"), "lt" if key.startswith("-") else "gt"
        condition = Q(**{f"{name}__{after}": value}) | (Q(**{name: value}) & condition if condition else Q(pk__in=[]))
    # Says nothing new, but lets an index on the first key skip what lies before.
    first = keys[0].lstrip("-")
    return Q(**{f"{first}__{'lte' if keys[0].startswith('-') else 'gte'}": values[0]}) & condition


def _value(row: Any, name: str) -> Any:
    if isinstance(row, Mapping):
        return _plain(row[name])
    for part in name.split("__"):
        row = getattr(row, part)
    return _plain(row)


def _plain(value: Any) -> Any:
    """Return a sort key as JSON holds it, exactly."""
    if isinstance(value, bool | int | str):
        return value
    return value.isoformat() if hasattr(value, "isoformat") else str(value)


def _decode(cursor: str | None, model: type[Model], keys: Sequence[str]) -> tuple[bool, list[Any] | None]:
    if cursor is None:
        return False, None
    problem = invalid_parameter("cursor", _("is not one that this list gave out"))
    if len(cursor) > LONGEST_CURSOR:
        raise problem
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        body = json.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
        backward, raw = body["b"], body["v"]
        if type(backward) is not bool or type(raw) is not list or len(raw) != len(keys):
            raise ValueError("foreign form")
        values = [_field(model, key.lstrip("-")).to_python(value) for key, value in zip(keys, raw, strict=True)]
        for value, item in zip(values, raw, strict=True):
            if value is None or "\x00" in str(value) or _plain(value) != item:
                raise ValueError("not as this list writes it")
    except (ValueError, TypeError, KeyError, RecursionError, OverflowError, binascii.Error, ValidationError):
        raise problem from None
    return backward, values


def _field(model: type[Model], name: str) -> Field[Any, Any]:
    *relations, last = name.split("__")
    for relation in relations:
        model = model._meta.get_field(relation).related_model  # type: ignore[assignment]
    return model._meta.pk if last == "pk" else model._meta.get_field(last)  # type: ignore[return-value]
