"""Read references in bodies and filters: an id or a name of something that the caller may see, or 404."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rest_framework import serializers

from apps.tenancy.access import Principal, find_project


class ReferenceField(serializers.Field):  # type: ignore[type-arg]
    """Accept an id or a name; `find(principal, reference)` returns the object or raises the 404 fault.

    Shown as {"id", "name"}. The view must be a `ScopedView`.
    """

    default_error_messages = {"invalid": "Give an id or a name."}

    def __init__(self, find: Callable[[Principal, object], Any], name: str = "name", **options: Any) -> None:
        super().__init__(**options)
        self._find, self._name = find, name

    def to_internal_value(self, data: object) -> Any:
        """Return the object that the reference stands for."""
        if not isinstance(data, str) or not data or len(data) > 200 or "\x00" in data:
            self.fail("invalid")
        return self._find(self.context["view"].principal, data)

    def to_representation(self, value: Any) -> dict[str, str]:
        """Return the id and the name."""
        return {"id": str(value.pk), "name": str(getattr(value, self._name))}


class ProjectField(ReferenceField):
    """Accept a project that the caller may see, by id or slug."""

    def __init__(self, **options: Any) -> None:
        super().__init__(find_project, "slug", **options)
