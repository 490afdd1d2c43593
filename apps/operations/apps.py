"""Register the journal."""

from django.apps import AppConfig


class OperationsConfig(AppConfig):
    """Configure the app of operations."""

    name = "apps.operations"
    label = "operations"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Declare the app's faults."""
        from apps.operations import catalogue  # noqa: F401
