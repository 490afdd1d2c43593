"""`manage.py label_sandbox`: let the sandbox's clouds earn labels by real runs, signed by its administrator."""

from __future__ import annotations

import time
from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import close_old_connections

from apps.clouds.models import Cloud
from apps.labels import issuing, running
from apps.labels.models import Label, Run
from apps.labels.standing import standing
from apps.tenancy.access import Actor, Principal, System
from apps.tenancy.faults import Fault
from apps.tenancy.models import Membership, Role
from connectors.probing import of_kind

STATEMENT = "Sandbox: a simulated vCenter, probed by the same run as a real one. It proves nothing about a provider."
_ENOUGH = frozenset({"valid", "expiring", "unconfirmed"})


class Command(BaseCommand):
    """Start a run on each cloud that carries no label, wait for the workers to finish it, and sign what it earned."""

    help = "Label the sandbox's simulated clouds by real conformance runs. Refused outside of the sandbox."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the options."""
        parser.add_argument("--organization", default="sandbox", help="slug of the organization")
        parser.add_argument("--timeout", type=float, default=900.0, help="seconds to wait for the runs")

    def handle(self, *_args: Any, **options: Any) -> None:
        """Do it, one cloud after the other; what fails on one does not keep the next from its run."""
        if not settings.SANDBOX:
            raise CommandError("Labels are signed by people - this command is for the sandbox alone.")
        until = time.monotonic() + options["timeout"]
        for cloud in _clouds(options["organization"]):
            try:
                said = self._label(cloud, until)
            except Fault as problem:
                said = problem.message
            self.stdout.write(f"{cloud.name}: {said}")

    def _label(self, cloud: Cloud, until: float) -> str:
        current = Label.objects.filter(cloud=cloud, state="valid").select_related("cloud__organization", "run").first()
        if current is not None and standing(current).state in _ENOUGH:
            return f"{current} as before"
        who = _administrator(cloud)
        if not self._answers(cloud, until):
            return "it was not read yet; nothing is probed"
        run = running.start(who, cloud, "sandbox")
        while (state := Run.objects.values_list("state", flat=True).get(pk=run.pk)) == "running":
            if time.monotonic() > until:
                return "the run has not ended in time"
            time.sleep(0.5)
        close_old_connections()
        candidate = Label.objects.filter(run=run, state="candidate").first()
        if candidate is None:
            return f"the run {state}; there is nothing to sign"
        return f"{issuing.sign(who, candidate, STATEMENT)} signed"

    @staticmethod
    def _answers(cloud: Cloud, until: float) -> bool:
        """Wait for the first reading: what a label stands on includes the instance that answers."""
        while not Cloud.objects.filter(pk=cloud.pk, health__ok=True).exists():
            if time.monotonic() > until:
                return False
            time.sleep(0.5)
        return True


def _clouds(organization: str) -> list[Cloud]:
    rows = Cloud.objects.present().filter(organization__slug=organization, enabled=True)
    rows = rows.select_related("organization").order_by("created_at", "name")
    return [cloud for cloud in rows if of_kind(cloud.kind, cloud.flavour)]


def _administrator(cloud: Cloud) -> Actor:
    """Return the sandbox's administrator, whose name stands under the label."""
    found = Membership.objects.filter(organization=cloud.organization, project=None, role=Role.ADMIN)
    first = found.select_related("user").order_by("created_at", "id").first()
    return Principal(first.user, cloud.organization) if first is not None else System(cloud.organization)
