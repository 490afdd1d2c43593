"""Lay out the addresses of the pages on the inventory."""

from django.urls import path

from apps.inventory import views

urlpatterns = [
    path("inventory/", views.index, name="inventory"),
    path("inventory/facets/", views.facets, name="inventory-facets"),
    path("inventory/capacity/", views.capacities, name="inventory-capacity"),
    path("inventory/views/", views.save_view, name="inventory-view-save"),
    path("inventory/views/<uuid:view_id>/", views.open_view, name="inventory-view"),
    path("inventory/views/<uuid:view_id>/delete/", views.delete_view, name="inventory-view-delete"),
    path("inventory/sync/<slug:name>/", views.sync, name="inventory-sync"),
    path("inventory/machines/<uuid:machine_id>/", views.machine, name="inventory-machine"),
    path("inventory/things/<uuid:thing_id>/", views.thing, name="inventory-thing"),
]
