"""Lay out the addresses of the pages on operations."""

from django.urls import path

from apps.operations import views

urlpatterns = [
    path("activity/", views.index, name="activity"),
    path("activity/running/", views.running, name="running"),
    path("activity/running/count/", views.count, name="running-count"),
    path("operations/<uuid:operation_id>/", views.detail, name="operation"),
    path("operations/<uuid:operation_id>/head/", views.head, name="operation-head"),
    path("operations/<uuid:operation_id>/steps/", views.steps, name="operation-steps"),
    path("operations/<uuid:operation_id>/steps/<int:step_id>/", views.step, name="operation-step"),
    path("operations/<uuid:operation_id>/cancel/", views.cancel, name="operation-cancel"),
    path("operations/<uuid:operation_id>/retry/", views.retry, name="operation-retry"),
    path("operations/<uuid:operation_id>/undo/", views.undo, name="operation-undo"),
]
