"""Lay out the addresses of the pages on labels."""

from django.urls import path

from apps.labels import views

urlpatterns = [
    path("clouds/<slug:name>/label/", views.overview, name="cloud-label"),
    path("clouds/<slug:name>/label/run/", views.start, name="cloud-label-run"),
    path("conformance/<uuid:run_id>/", views.report, name="conformance"),
    path("conformance/<uuid:run_id>/progress/", views.progress, name="conformance-progress"),
    path("conformance/<uuid:run_id>/report.json", views.export, name="conformance-report"),
    path("labels/<uuid:label_id>/sign/", views.sign, name="label-sign"),
    path("labels/<uuid:label_id>/withdraw/", views.withdraw, name="label-withdraw"),
]
