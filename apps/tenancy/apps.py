"""Register the tenancy app."""

from django.apps import AppConfig


class TenancyConfig(AppConfig):
    """Check the keys at the start, and describe to the OpenAPI schema how callers authenticate."""

    name = "apps.tenancy"
    label = "tenancy"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Register the schema's security schemes, and refuse to start with keys that cannot be used."""
        from apps.tenancy.api.authentication import schema_extension
        from apps.tenancy.keys import keyring

        schema_extension()
        keyring()
