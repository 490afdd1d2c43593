"""Configure the app and hook it into the journal and the cloud handler."""

from django.apps import AppConfig


class DeploymentsConfig(AppConfig):
    """Configure the app of plans and deployments."""

    name = "apps.deployments"
    label = "deployments"
    default_auto_field = "django.db.models.BigAutoField"
