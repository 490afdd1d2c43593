"""Lay out the addresses of plans and deployments in the API."""

from rest_framework.routers import SimpleRouter

from apps.deployments.api.views import DeploymentViewSet, PlanViewSet

router = SimpleRouter()
router.register("plans", PlanViewSet, basename="plan")
router.register("deployments", DeploymentViewSet, basename="deployment")
urlpatterns = router.urls
