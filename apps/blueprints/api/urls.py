"""Lay out the addresses of drawings in the API."""

from rest_framework.routers import SimpleRouter

from apps.blueprints.api.views import BlueprintViewSet

router = SimpleRouter()
router.register("blueprints", BlueprintViewSet, basename="blueprint")
urlpatterns = router.urls
