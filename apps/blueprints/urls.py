"""Lay out the addresses of the pages on designs."""

from django.urls import path

from apps.blueprints.views import canvas, designs, editing, history

urlpatterns = [
    path("designs/", designs.index, name="designs"),
    path("designs/new/", editing.new, name="design-new"),
    path("designs/validate/", editing.validate, name="design-validate"),
    path("designs/templates/", canvas.templates, name="design-templates"),
    path("designs/canvas/new/", canvas.new, name="design-canvas-new"),
    path("designs/drafts/<uuid:draft_id>/", canvas.draft, name="design-draft"),
    path("designs/drafts/<uuid:draft_id>/discard/", canvas.discard, name="design-draft-discard"),
    path("designs/<uuid:design_id>/", designs.detail, name="design"),
    path("designs/<uuid:design_id>/canvas/", canvas.canvas, name="design-canvas"),
    path("designs/<uuid:design_id>/edit/", editing.edit, name="design-edit"),
    path("designs/<uuid:design_id>/delete/", designs.delete, name="design-delete"),
    path("designs/<uuid:design_id>/versions/", history.versions, name="design-versions"),
    path("designs/<uuid:design_id>/versions/<int:number>/", designs.version, name="design-version"),
    path("designs/<uuid:design_id>/versions/<int:number>/canvas/", canvas.version, name="design-version-canvas"),
    path("designs/<uuid:design_id>/versions/<int:number>/compose.yaml", designs.download, name="design-download"),
    path("designs/<uuid:design_id>/difference/", history.diff, name="design-diff"),
    path("shared/<str:token>/", canvas.shared, name="shared"),
]
