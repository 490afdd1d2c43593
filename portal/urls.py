"""Lay out the addresses: pages of each app at the root, the REST API under /api/v1/."""

from importlib.util import find_spec

from django.apps import apps
from django.urls import URLPattern, URLResolver, include, path

from portal.metrics import metrics

urlpatterns: list[URLPattern | URLResolver] = [
    path("metrics", metrics, name="metrics"),
    path("api/", include("portal.api")),
]
# An app adds pages by having a `urls.py`; the composition root names none of them one by one.
for _app in apps.get_app_configs():
    if _app.name.startswith("apps.") and find_spec(f"{_app.name}.urls"):
        urlpatterns.append(path("", include(f"{_app.name}.urls")))
