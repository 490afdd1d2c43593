"""Say where machines and disks go: template, cluster, datastores; what exists already stays where it is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from engine import placement
from engine.observed import Target, TemplateFact
from engine.realise.notes import Notes
from engine.realise.prior import Prior
from engine.realise.settings import Settings
from engine.realise.volumes import DiskPlan
from engine.resources import Machine


class Sites:
    """Choose the places of one drawing; ``drawn`` is its top-level extension, which alone moves what stands."""

    def __init__(
        self, target: Target, settings: Settings, drawn: Mapping[str, Any], prior: Prior, notes: Notes
    ) -> None:
        self.target, self.settings, self.drawn, self.prior, self.notes = target, settings, drawn, prior, notes
        self.cluster: str | None = None

    def template(self) -> TemplateFact | None:
        """Return the template of new machines; None, with an error, when there is none."""
        templates = self.target.inventory.templates
        wanted = self.settings.template
        hosts = sorted((fact for fact in templates if fact.container_host), key=lambda fact: fact.name)
        if wanted:
            found = next((fact for fact in templates if fact.name == wanted), None)
            if found is not None:
                return found
            if not templates:
                return TemplateFact("", wanted, 0, 0, 0, container_host=True)
        elif hosts:
            return hosts[0]
        exist = ", ".join(fact.name for fact in (hosts or sorted(templates, key=lambda fact: fact.name))[:20])
        self.notes.finding(
            "realise.template_missing",
            "error",
            (
                f"The template {wanted!r} does not exist on this cloud"
                if wanted
                else "This cloud has no template that is marked as a container host"
            )
            + f", so no machine can be cloned: {'choose one of ' + exist if exist else 'make one with cloud-init'} "
            "(x-escale.template or the cloud's defaults).",
            ("x-escale", "template") if self.drawn.get("template") else (),
        )
        return None

    def template_of(self, label: str, template: TemplateFact | None) -> tuple[str, int | None]:
        """Return a machine's template and its disk's size: only the drawing moves a machine to another template."""
        before = self.prior.machines.get(label, {})
        if before.get("template") and not self.drawn.get("template"):
            return str(before["template"]), before.get("system_disk_gib")
        return (template.name, template.disk_gib or None) if template else (self.settings.template or "", None)

    def cluster_of(self, machine: Machine) -> str | None:
        """Return a machine's cluster, once ``place`` has chosen."""
        before = self.prior.machines.get(machine.key.removeprefix("machine:"), {})
        if before and not self.drawn.get("cluster"):
            return before.get("cluster")
        return self.cluster

    def datastore_of(self, machine: Machine) -> str | None:
        """Return the datastore that a machine was made on."""
        return self.prior.machines.get(machine.key.removeprefix("machine:"), {}).get("datastore")

    def place(self, machines: Sequence[Machine], disks: Mapping[str, DiskPlan]) -> dict[str, str]:
        """Choose cluster and datastores; what exists already stays and counts only by what it grows."""
        if not machines and not disks:
            return {}
        present = self.prior.machines
        needs: dict[str, int] = {}
        for machine in machines:
            if machine.key.removeprefix("machine:") not in present:
                needs[machine.key] = (machine.system_disk_gib or 0) + -(
                    -machine.memory_mib // 1024
                )  # and its swap file
        fixed: dict[str, str] = {}
        for plan in disks.values():
            before = self.prior.volumes.get(plan.volume.key)
            grown = plan.volume.size_gib - int(before["size_gib"]) if before else plan.volume.size_gib
            if grown > 0:
                needs[plan.volume.key] = grown
            if plan.volume.datastore:
                fixed[plan.volume.key] = plan.volume.datastore
        choice = placement.choose(
            self.target.inventory,
            placement.Wish(
                machines=[(machine.cpus, machine.memory_mib) for machine in machines],
                disks=needs,
                fixed=fixed,
                cluster=self.drawn.get("cluster") or (None if present else self.settings.cluster),
                datastore=self.settings.datastore,
                usual_cluster=self.prior.cluster,
                held_cpus=sum(int(body.get("cpus") or 0) for body in present.values()),
                held_memory_mib=sum(int(body.get("memory_mib") or 0) for body in present.values()),
                settled=all(machine.key.removeprefix("machine:") in present for machine in machines),
                policy=self.settings.placement,
                cpu_overcommit=self.settings.cpu_overcommit,
            ),
        )
        self.notes.extend(choice.findings)
        self.cluster = choice.cluster
        return {**choice.datastores, **fixed}
