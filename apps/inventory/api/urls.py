"""Lay out the addresses of the inventory."""

from django.urls import path
from rest_framework.routers import SimpleRouter

from apps.inventory.api.views import (
    CapacityView,
    MachineViewSet,
    SummaryView,
    SyncView,
    ThingViewSet,
    ViewViewSet,
)

router = SimpleRouter()
router.register("inventory/machines", MachineViewSet, basename="machine")
router.register("inventory/things", ThingViewSet, basename="thing")
router.register("inventory/views", ViewViewSet, basename="view")
urlpatterns = [
    path("inventory/summary/", SummaryView.as_view(), name="inventory-summary"),
    path("clouds/<str:id>/sync/", SyncView.as_view(), name="cloud-api-sync"),
    path("clouds/<str:id>/capacity/", CapacityView.as_view(), name="cloud-api-capacity"),
    *router.urls,
]
