"""Register the app of labels."""

from django.apps import AppConfig


class LabelsConfig(AppConfig):
    """Let partner clouds earn labels by conformance runs, and lose them."""

    name = "apps.labels"
    label = "labels"
    default_auto_field = "django.db.models.BigAutoField"
