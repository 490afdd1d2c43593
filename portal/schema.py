"""Teach the schema generator what it cannot read from the code."""

from __future__ import annotations

from typing import Any

from drf_spectacular.extensions import OpenApiSerializerFieldExtension
from drf_spectacular.plumbing import build_basic_type, build_object_type
from drf_spectacular.types import OpenApiTypes


class ReferenceFieldSchema(OpenApiSerializerFieldExtension):  # type: ignore[no-untyped-call]
    """Describe a reference to another object: given as its id or its name, shown as both."""

    target_class = "apps.tenancy.api.fields.ReferenceField"
    match_subclasses = True

    def map_serializer_field(self, auto_schema: Any, direction: str) -> Any:
        """Return a string for requests and an object for responses."""
        if direction == "request":
            return build_basic_type(OpenApiTypes.STR)
        text = build_basic_type(OpenApiTypes.STR)
        return build_object_type(properties={"id": build_basic_type(OpenApiTypes.UUID), "name": text})
