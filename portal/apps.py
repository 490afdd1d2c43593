"""Register the composition root as a Django app, for its management commands and checks."""

from django.apps import AppConfig


class PortalConfig(AppConfig):
    """Load Celery with Django, so that `shared_task` publishes to the configured broker from any process."""

    name = "portal"

    def ready(self) -> None:
        """Import the Celery app, which registers itself as the current one."""
        from portal import celery  # noqa: F401
