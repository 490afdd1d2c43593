"""Register the clouds app."""

from django.apps import AppConfig


class CloudsConfig(AppConfig):
    """Give the journal its handler for clouds, and let the rotation of keys reach the credentials."""

    name = "apps.clouds"
    label = "clouds"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Hook the app into the layers below it."""
        from apps.clouds import catalogue, connections, handler  # noqa: F401 (declares its codes)
        from apps.operations import registry
        from apps.tenancy import rotation

        registry.register_handler("cloud", handler.CLOUD)
        rotation.register_sealed("clouds.Credential", "sealed", "cloud__organization", connections.purpose)
