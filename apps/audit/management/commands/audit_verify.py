"""Prove the audit log whole, and write down where it stands."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from apps.audit.services import Anchor, anchor, verify
from apps.tenancy.models import Organization


class Command(BaseCommand):
    """Verify the chains of all organizations or of one; ends with status 1 when one is broken."""

    help = (
        "Checks every entry, the order, the gaps and the end of each organization's audit chain. Keep the file of "
        "--write-anchors on another machine and give it to the next run as --anchors: then even a chain that was set "
        "back together with its head is noticed."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare which chains, and the anchor files."""
        parser.add_argument("--organization", help="the slug of one organization; all of them by default")
        parser.add_argument("--anchors", type=Path, help="a file that --write-anchors wrote earlier")
        parser.add_argument("--write-anchors", type=Path, help="where to write the heads, if all chains are whole")

    def handle(self, *args: Any, **options: Any) -> None:
        """Walk the chains and report."""
        organizations = Organization.objects.all()
        if options["organization"]:
            organizations = organizations.filter(slug=options["organization"])
            if not organizations:
                raise CommandError(f"There is no organization {options['organization']!r} - check the slug.")
        known = _read(options["anchors"])
        broken, anchors = 0, []
        for organization in organizations:
            here = anchor(organization)
            breaks = verify(organization, known.pop(str(organization.pk), None))
            for item in breaks:
                self.stderr.write(f"{organization.slug}: {item.code} at {item.sequence}: {item.message}")
            broken += bool(breaks)
            anchors.append(here.to_json())
            if not breaks:
                self.stdout.write(f"{organization.slug}: whole, {here.sequence} entries, head {here.hash[:16]}.")
        if known and not options["organization"]:
            self.stderr.write(f"{len(known)} organizations of the anchor file are gone: {', '.join(known)}")
            broken += 1
        if broken:
            raise CommandError(
                f"{broken} audit chains do not hold - somebody changed the database by hand - restore the entries from "
                "a backup, and find out who could write to the database."
            )
        if options["write_anchors"]:
            options["write_anchors"].write_text(json.dumps(anchors, indent=2) + "\n", encoding="utf-8")


def _read(path: Path | None) -> dict[str, Anchor]:
    if path is None:
        return {}
    try:
        items = [Anchor(**item) for item in json.loads(path.read_text(encoding="utf-8"))]
    except (OSError, ValueError, TypeError) as error:
        raise CommandError(
            f"{path} cannot be used - {type(error).__name__} - give a file that --write-anchors made."
        ) from None
    return {item.organization: item for item in items}
