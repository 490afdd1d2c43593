"""Register the app of inventory."""

from django.apps import AppConfig


class InventoryConfig(AppConfig):
    """Keep what every cloud has in rows that people and programs can search."""

    name = "apps.inventory"
    label = "inventory"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Hook the app into the layers below it."""
        from apps.inventory import catalogue, handler, syncing  # noqa: F401 (declares its codes)
        from apps.operations import registry
        from apps.tenancy import rotation

        registry.register_handler("sync", handler.SYNC)
        registry.register_kind(registry.Kind("sync", quiet=True))
        rotation.register_sealed("inventory.SyncState", "sealed", "cloud__organization", syncing.purpose)
