"""Configure the app, declare its faults, and register what it seals."""

from django.apps import AppConfig


class BlueprintsConfig(AppConfig):
    """Configure the app of drawings."""

    name = "apps.blueprints"
    label = "blueprints"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Declare the app's faults, and let the rotation of keys reach the files that came beside drawings."""
        from apps.blueprints import catalogue, drafts, files, sharing  # noqa: F401
        from apps.tenancy import rotation

        rotation.register_sealed(
            "blueprints.SuppliedFile", "sealed", "version__blueprint__project__organization", files.purpose_of
        )
        rotation.register_sealed(
            "blueprints.BlueprintVersion",
            "environment_sealed",
            "blueprint__project__organization",
            files.environment_purpose,
        )
        for column, purpose in drafts.PURPOSES.items():
            rotation.register_sealed("blueprints.Draft", column, "project__organization", purpose)
        rotation.register_sealed(
            "blueprints.ShareLink", "sealed_token", "blueprint__project__organization", sharing.purpose_of
        )
