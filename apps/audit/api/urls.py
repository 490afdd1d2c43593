"""Lay out the addresses of the audit log."""

from django.urls import path
from rest_framework.routers import SimpleRouter

from apps.audit.api.views import EntryViewSet, HeadView

router = SimpleRouter()
router.register("audit", EntryViewSet, basename="audit")
urlpatterns = [path("audit/head/", HeadView.as_view(), name="audit-head"), *router.urls]
