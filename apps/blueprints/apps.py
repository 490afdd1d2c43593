"""Configure the app and declare its faults."""

from django.apps import AppConfig


class BlueprintsConfig(AppConfig):
    """Configure the app of drawings."""

    name = "apps.blueprints"
    label = "blueprints"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Declare the app's faults."""
        from apps.blueprints import catalogue  # noqa: F401
