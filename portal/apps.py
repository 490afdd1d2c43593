"""Register the composition root as a Django app, for its management commands and checks."""

from django.apps import AppConfig
from django.core.exceptions import ImproperlyConfigured

from portal.env import SettingsError


class PortalConfig(AppConfig):
    """Load Celery with Django, so that `shared_task` publishes to the configured broker from any process."""

    name = "portal"

    def ready(self) -> None:
        """Import the Celery app, which makes itself the current one, and check the keys before anything needs them."""
        from apps.tenancy.keys import keyring
        from portal import celery, schema  # noqa: F401

        try:
            keyring()
        except ImproperlyConfigured as error:
            raise SettingsError([str(error)]) from None
