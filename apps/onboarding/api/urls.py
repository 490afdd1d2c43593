"""Lay out the addresses of onboardings in the API."""

from rest_framework.routers import SimpleRouter

from apps.onboarding.api.views import OnboardingViewSet

router = SimpleRouter()
router.register("onboardings", OnboardingViewSet, basename="onboarding")
urlpatterns = router.urls
