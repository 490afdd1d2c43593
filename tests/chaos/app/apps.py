import os

from django.apps import AppConfig


class ChaosConfig(AppConfig):
    """Put the file cloud and the failpoints into a worker."""

    name = "tests.chaos.app"
    label = "chaos"

    def ready(self) -> None:
        from apps.operations import failpoints
        from apps.operations.registry import Kind, register_handler, register_kind
        from tests.chaos.filecloud import FileCloud, FileCloudHandler

        cloud = FileCloud(os.environ["CHAOS_CLOUD"])
        register_handler("chaos", FileCloudHandler(cloud))
        register_kind(Kind("chaos"))
        for name in failpoints.NAMES:
            failpoints.arm(name, lambda name=name: cloud.reach(name))
