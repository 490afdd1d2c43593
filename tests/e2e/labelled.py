"""A labelled cloud with a report that has all sorts of probes in it, and one whose label was lost."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.db import transaction
from django.utils import timezone

from apps.clouds.models import Cloud
from apps.labels import basis, issuing
from apps.labels.models import Evidence, Label, Run
from apps.tenancy.access import System
from apps.tenancy.models import Organization
from connectors.vsphere.probing_privileges import DEPLOY

HOSTILE = "<script>alert('probe')</script>" + "a-name-without-any-place-to-break" * 5


def label_clouds(organization: Organization) -> dict[str, str]:
    """Label paris, and let roubaix have lost its label; return the ids of the runs."""
    return {"good": _run(organization, "paris"), "bad": _lost(organization, "roubaix")}


def _run(organization: Organization, name: str) -> str:
    run = _probed(organization, name, broken="policies")
    run_level = issuing.earned(list(run.evidence.all()))
    candidate = Label.objects.create(
        organization=organization, cloud=run.cloud, run=run, level=run_level, created_at=timezone.now()
    )
    issuing.sign(System(organization), candidate, f"We vouch for it.\n{HOSTILE}")
    return str(run.pk)


def _lost(organization: Organization, name: str) -> str:
    good = _probed(organization, name)
    run_level = issuing.earned(list(good.evidence.all()))
    candidate = Label.objects.create(
        organization=organization, cloud=good.cloud, run=good, level=run_level, created_at=timezone.now()
    )
    issuing.sign(System(organization), candidate, "We vouch for it.")
    bad = _probed(organization, name, broken="privileges.deploy")
    with transaction.atomic():  # as the journal's turn holds one
        issuing.settle(bad, "succeeded")
    return str(bad.pk)


def _probed(organization: Organization, name: str, broken: str = "") -> Run:
    cloud = Cloud.objects.get(organization=organization, name=name)
    now = timezone.now()
    run = Run.objects.create(
        organization=organization, cloud=cloud, state="passed", level="deploy", basis=basis.of(cloud), actor="alice",
        product={"product": "VMware vCenter Server", "version": "8.0.3", "build": "24322831", "api_version": "8.0.3.0"},
        started_at=now - timedelta(minutes=4), finished_at=now, cleaned_at=now,
    )  # fmt: skip
    held = [{"name": each, "held": broken != "privileges.deploy", "for": why} for each, why in DEPLOY.items()]
    rows: list[dict[str, Any]] = [
        {"probe": "api", "facts": {"product": "VMware vCenter Server", "api_version": "8.0.3.0", "clock_skew_s": 0.2}},
        {"probe": "latency", "required": False, "facts": {"calls": 25, "median_ms": 11.2, "p95_ms": 31.9}},
        {"probe": "privileges.deploy", "facts": {"privileges": held, "held": len(held), "asked": len(held)}},
        {"probe": "policies", "level": "mobility", "facts": {"policies": 4, "vsan_default": False}},
        {"probe": "canary.network", "left_out": "Networks are segments that the provider's own console makes."},
        {"probe": "canary.clone", "facts": {"seconds": 21.4}, "internals": {"moref": "vm-1", "name": HOSTILE}},
        {"probe": "events", "facts": {"events": 8, "kinds": ["VmCreatedEvent", "VmPoweredOnEvent"]}},
    ]
    for position, row in enumerate(rows):
        failed = row["probe"] == broken
        Evidence.objects.create(**{
            "run": run, "position": position, "level": "deploy", "required": True,
            "verdict": "failed" if failed else "skipped" if row.get("left_out") else "passed",
            "code": "cloud.permission" if failed else "", "message": f"It may not - {HOSTILE} - ask" if failed else "",
            "started_at": run.started_at, "finished_at": now, **row,
        })  # fmt: skip
    return run
