"""Register the app of inventory."""

from django.apps import AppConfig


class InventoryConfig(AppConfig):
    """Keep what every cloud has in rows that people and programs can search."""

    name = "apps.inventory"
    label = "inventory"
    default_auto_field = "django.db.models.BigAutoField"
