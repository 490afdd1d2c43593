"""Lay out the addresses of clouds."""

from rest_framework.routers import SimpleRouter

from apps.clouds.api.views import CloudViewSet

router = SimpleRouter()
router.register("clouds", CloudViewSet, basename="cloud")
urlpatterns = router.urls
