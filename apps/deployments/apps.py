"""Configure the app and hook it into the journal and the cloud handler."""

from django.apps import AppConfig


class DeploymentsConfig(AppConfig):
    """Configure the app of plans and deployments."""

    name = "apps.deployments"
    label = "deployments"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Hook what only this app knows into the journal and the cloud handler below it."""
        from apps.clouds import handler, holdings
        from apps.clouds.services import register_use
        from apps.deployments import catalogue, grants, limiting, preparing, recording, watching  # noqa: F401
        from apps.inventory.registry import register_listener
        from apps.operations.registry import Kind, register_kind
        from apps.tenancy import rotation

        for kind in ("deploy", "update", "destroy"):
            register_kind(
                Kind(
                    kind,
                    on_steps_done=recording.on_steps_done,
                    on_steps_reverted=recording.on_steps_reverted,
                    on_finished=recording.on_finished,
                    on_resumed=recording.on_resumed,
                )
            )
        handler.register_preparer("*", preparing.prepare)
        register_listener(watching.on_synced)
        register_use(recording.deployments_on)
        holdings.register_holdings(limiting.holdings_on)
        rotation.register_sealed(
            "deployments.FetchGrant", "sealed", "deployment__project__organization", grants.purpose_of
        )
