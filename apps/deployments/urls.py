"""Lay out the addresses of the overview, the search, plans and deployments, and of what machines fetch."""

from django.urls import path

from apps.deployments import machine
from apps.deployments.views import deployments, drift, overview, plans

urlpatterns = [
    path("machine/v1/secrets/", machine.secrets, name="machine-secrets"),
    path("", overview.overview, name="overview"),
    path("search/", overview.search, name="search"),
    path("designs/<uuid:design_id>/deploy/", plans.deploy, name="deploy"),
    path("plans/<uuid:plan_id>/", plans.detail, name="plan"),
    path("plans/<uuid:plan_id>/freshness/", plans.freshness, name="plan-freshness"),
    path("plans/<uuid:plan_id>/again/", plans.again, name="plan-again"),
    path("plans/<uuid:plan_id>/start/", plans.start, name="plan-start"),
    path("deployments/", deployments.index, name="deployments"),
    path("deployments/<uuid:deployment_id>/", deployments.detail, name="deployment"),
    path("deployments/<uuid:deployment_id>/update/", plans.update, name="deployment-update"),
    path("deployments/<uuid:deployment_id>/destroy/", plans.destroy, name="deployment-destroy"),
    path("deployments/<uuid:deployment_id>/drift/", drift.check, name="deployment-drift-check"),
    path("deployments/<uuid:deployment_id>/drift/restore/", drift.restore, name="deployment-restore"),
    path("deployments/<uuid:deployment_id>/drift/write-back/", drift.write_back, name="deployment-write-back"),
]
