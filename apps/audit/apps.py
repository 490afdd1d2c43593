"""Register the audit app."""

from django.apps import AppConfig


class AuditConfig(AppConfig):
    """Give the layers below a way to record, and take part in the rotation of keys."""

    name = "apps.audit"
    label = "audit"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Hook the audit log into the tenancy app, which lies below it."""
        from apps.audit import services
        from apps.tenancy import auditing, rotation

        auditing.register_recorder(services.record, services.gathered)
        rotation.register_follower(services.seal_heads_anew)
