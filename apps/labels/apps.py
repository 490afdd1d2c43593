"""Register the app of labels."""

from django.apps import AppConfig


class LabelsConfig(AppConfig):
    """Let partner clouds earn labels by conformance runs, and lose them."""

    name = "apps.labels"
    label = "labels"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Hook probes into the journal, and runs under way into the removal of clouds."""
        from apps.clouds.services import register_use
        from apps.labels import catalogue, handler, recording, running  # noqa: F401 (declares its codes)
        from apps.operations import registry

        registry.register_handler("probe", handler.PROBE)
        for kind in (running.KIND, running.CLEANING):
            registry.register_kind(
                registry.Kind(
                    kind,
                    on_steps_done=recording.on_steps_done,
                    on_finished=recording.on_finished,
                    on_resumed=recording.on_resumed,
                )
            )
        register_use(recording.uses_of)
