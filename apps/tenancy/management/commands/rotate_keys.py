"""Rotate the keys that seal stored secrets, online."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from apps.tenancy import rotation
from apps.tenancy.faults import Fault
from apps.tenancy.keys import keyring


class Command(BaseCommand):
    """Re-wrap data keys, and re-encrypt secrets on request; safe to interrupt and to run again."""

    help = (
        "Wraps every organization's data key with the newest key of ESCALE_KEYS. Put the new key in front of the old "
        "one first, restart every process, then run this; drop the old key when this says that nothing needs it."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the depth of the rotation."""
        parser.add_argument(
            "--data-keys",
            action="store_true",
            help="besides, make new data keys and encrypt every stored secret anew (after a suspected leak)",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Rotate and report."""
        try:
            self._rotate(new_data_keys=options["data_keys"])
        except Fault as problem:
            raise CommandError(problem.message) from None

    def _rotate(self, new_data_keys: bool) -> None:
        wrapped = sum(1 for _ in rotation.rewrap())
        self.stdout.write(f"Data keys wrapped with key version {keyring().newest}: {wrapped}.")
        if new_data_keys:
            self.stdout.write(f"New data keys: {rotation.begin_reencryption()}.")
        # Runs in every case: an interrupted run is finished by the next one, whatever its options.
        sealed = sum(1 for _ in rotation.reencrypt())
        self.stdout.write(f"Secrets encrypted anew: {sealed}.")
        followed = rotation.follow()
        if followed:
            self.stdout.write(f"Other records signed with the newest key: {followed}.")
        for version, counts in sorted(rotation.still_needed().items()):
            if version != keyring().newest:
                self.stdout.write(
                    f"Key version {version} is still needed by {counts['data_keys']} data keys and by "
                    f"{counts['tokens']} API tokens, which move to the newest key when they are next used."
                )
