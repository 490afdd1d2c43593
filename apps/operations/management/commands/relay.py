"""Run the relay: `manage.py relay`."""

from __future__ import annotations

import logging
import signal
import threading
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from apps.operations.relay import Relay, poke_due, send_outbox, sweep
from apps.operations.tuning import tuning

log = logging.getLogger(__name__)


class Command(BaseCommand):
    """Send the journal's pokes to the workers until SIGTERM or SIGINT."""

    help = "Send the journal's pokes to the workers, and sweep up what nobody looks after."

    def add_arguments(self, parser: CommandParser) -> None:
        """Add `--once`."""
        parser.add_argument("--once", action="store_true", help="Send and sweep once, then end.")

    def handle(self, *_args: Any, **options: Any) -> None:
        """Run."""
        if options["once"]:
            sweep()
            send_outbox()
            poke_due(tuning())
            return
        stop = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stop.set())
        log.info("The relay runs")
        Relay().run(stop)
        log.info("The relay has stopped")
