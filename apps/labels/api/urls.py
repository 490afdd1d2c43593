"""Lay out the addresses of labels and of the runs that they stand on."""

from django.urls import path
from rest_framework.routers import SimpleRouter

from apps.labels.api.views import CloudConformanceViewSet, ConformanceViewSet, LabelViewSet

router = SimpleRouter()
router.register("conformance", ConformanceViewSet, basename="conformance")
router.register("labels", LabelViewSet, basename="label")
urlpatterns = [
    path(
        "clouds/<str:id>/conformance/",
        CloudConformanceViewSet.as_view({"get": "list", "post": "create"}),
        name="cloud-conformance",
    ),
    path("conformance/<str:id>/report.json", ConformanceViewSet.as_view({"get": "report"}), name="conformance-file"),
    *router.urls,
]
