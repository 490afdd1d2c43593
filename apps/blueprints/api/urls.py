"""Lay out the addresses of drawings in the API."""

from django.urls import path
from rest_framework.routers import SimpleRouter

from apps.blueprints.api.drafts import DraftViewSet
from apps.blueprints.api.sharing import SharedView
from apps.blueprints.api.views import BlueprintViewSet

router = SimpleRouter()
router.register("blueprints", BlueprintViewSet, basename="blueprint")
router.register("drafts", DraftViewSet, basename="draft")
urlpatterns = [*router.urls, path("shared/<str:token>/", SharedView.as_view(), name="shared-link")]
