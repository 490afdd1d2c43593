"""Assemble the REST API: every app's `api/urls.py` under /api/v1/, its schema and its documentation."""

from importlib.util import find_spec

from django.apps import apps
from django.urls import URLPattern, URLResolver, include, path
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerSplitView

v1: list[URLPattern | URLResolver] = [path("schema/", SpectacularAPIView.as_view(), name="api-schema")]
for _app in apps.get_app_configs():
    if not _app.name.startswith("apps."):
        continue
    if find_spec(f"{_app.name}.api") and find_spec(f"{_app.name}.api.urls"):
        v1.append(path("", include(f"{_app.name}.api.urls")))

urlpatterns: list[URLPattern | URLResolver] = [
    path("v1/", include(v1)),
    # The split view serves its script from an address of its own, so that no inline script is needed.
    path("docs/", SpectacularSwaggerSplitView.as_view(url_name="api-schema"), name="api-docs"),
]
