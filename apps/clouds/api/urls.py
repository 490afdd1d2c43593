"""Lay out the addresses of clouds."""

from rest_framework.routers import SimpleRouter

from apps.clouds.api.views import CloudViewSet, OfferViewSet

router = SimpleRouter()
router.register("clouds", CloudViewSet, basename="cloud")
router.register("cloud-offers", OfferViewSet, basename="offer")
urlpatterns = router.urls
