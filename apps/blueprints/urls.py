"""Lay out the addresses of the pages on designs."""

from django.urls import path

from apps.blueprints import views

urlpatterns = [
    path("designs/", views.index, name="designs"),
    path("designs/new/", views.new, name="design-new"),
    path("designs/validate/", views.validate, name="design-validate"),
    path("designs/<uuid:design_id>/", views.detail, name="design"),
    path("designs/<uuid:design_id>/edit/", views.edit, name="design-edit"),
    path("designs/<uuid:design_id>/delete/", views.delete, name="design-delete"),
    path("designs/<uuid:design_id>/versions/", views.versions, name="design-versions"),
    path("designs/<uuid:design_id>/versions/<int:number>/", views.version, name="design-version"),
    path("designs/<uuid:design_id>/versions/<int:number>/compose.yaml", views.download, name="design-download"),
    path("designs/<uuid:design_id>/difference/", views.diff, name="design-diff"),
]
