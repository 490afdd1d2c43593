"""Lay out the addresses of operations."""

from rest_framework.routers import SimpleRouter

from apps.operations.api.views import OperationViewSet

router = SimpleRouter()
router.register("operations", OperationViewSet, basename="operation")
urlpatterns = router.urls
