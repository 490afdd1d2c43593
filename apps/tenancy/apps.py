"""Register the tenancy app."""

from django.apps import AppConfig


class TenancyConfig(AppConfig):
    """Describe how the API is authenticated to the OpenAPI schema."""

    name = "apps.tenancy"
    label = "tenancy"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Register the schema's security schemes."""
        from apps.tenancy.api.authentication import schema_extension

        schema_extension()
