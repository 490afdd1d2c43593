"""Address the designer's committed bundle (static/designer, built by Vite) through django-vite's tags."""

from __future__ import annotations

from django.conf import settings
from django_vite.core.asset_loader import DjangoViteAppClient

FOLDER = "designer"
IMMUTABLE_FILES = rf"^/static/{FOLDER}/assets/|^/static/.+\.[0-9a-f]{{12}}\.\w+$"
"""Addresses whose files never change: Vite's, which carry a hash of their content, and those that Django hashed."""


class Bundle(DjangoViteAppClient):  # type: ignore[misc, unused-ignore]  # the package has no types
    """Give the bundle's files the names that Vite gave them.

    They import each other by these names. Django's own hash on top would give the entry a second address: a chunk
    that imports from it would load it once more, and two copies of one module would each have their own state.
    """

    def get_production_server_url(self, path: str) -> str:
        """Return the address of a file that the manifest names, relative to the bundle's folder."""
        return f"{settings.STATIC_URL}{FOLDER}/{path}"
