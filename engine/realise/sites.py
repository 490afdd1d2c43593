"""Say where machines and disks go: template, cluster, datastores; what exists already stays where it is."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from engine import placement
from engine.observed import Inventory, Target, TemplateFact
from engine.realise.declared import Declarations, Declared
from engine.realise.notes import Notes
from engine.realise.prior import Prior
from engine.realise.settings import Settings
from engine.realise.volumes import DiskPlan
from engine.resources import Machine


@dataclass(slots=True)
class _Group:
    """Machines that ask for the same cluster, with what they need space for."""

    cluster: str | None = None
    machines: list[Machine] = field(default_factory=list)
    needs: dict[str, int] = field(default_factory=dict)
    fixed: dict[str, str] = field(default_factory=dict)
    present: list[str] = field(default_factory=list)  # labels of machines of before that it takes the room of


class Sites:
    """Choose the places of one drawing, whose extension alone moves what stands.

    ``drawn``: its top level; ``declarations``: its machines, whose own words come first.
    """

    def __init__(
        self,
        target: Target,
        settings: Settings,
        drawn: Mapping[str, Any],
        declarations: Declarations,
        prior: Prior,
        notes: Notes,
    ) -> None:
        self.target, self.settings, self.drawn, self.prior, self.notes = target, settings, drawn, prior, notes
        self.declarations = declarations
        self._clusters: dict[str, str | None] = {}  # machine -> the cluster that was chosen for it
        self._templates: dict[str, TemplateFact | None] = {}  # those that machines ask for by name
        self._told: set[tuple[str, ...]] = set()
        self.zone = self._one_zone() if "own_ground" in target.capabilities else None

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
        declared = self.declarations.of_label.get(label)
        if declared is not None and declared.template:
            fact = self._named_template(declared)
            return declared.template, (fact.disk_gib or None) if fact else None
        if before.get("template") and not self.drawn.get("template"):
            return str(before["template"]), before.get("system_disk_gib")
        return (template.name, template.disk_gib or None) if template else (self.settings.template or "", None)

    def template_size(self, label: str, template: TemplateFact | None) -> tuple[int, int]:
        """Return the CPUs and MiB that a machine's template has; zeros where they are not known."""
        name, _ = self.template_of(label, template)
        fact = next((fact for fact in self.target.inventory.templates if fact.name == name), None)
        return (fact.cpus, fact.memory_mib) if fact else (0, 0)

    def _named_template(self, declared: Declared) -> TemplateFact | None:
        name = declared.template or ""
        templates = self.target.inventory.templates
        if name not in self._templates:
            self._templates[name] = next((fact for fact in templates if fact.name == name), None)
        fact = self._templates[name]
        path = (*declared.path, "template")
        if fact is None and templates and self._first(path):
            exist = ", ".join(sorted(fact.name for fact in templates)[:20])
            self.notes.finding(
                "realise.template_missing",
                "error",
                f"The template {name!r} of the machine {declared.name} does not exist on this cloud, so it cannot be "
                f"cloned: choose one of {exist}.",
                path,
            )
        hosts = declared.name in self.declarations.named
        if fact is not None and not fact.container_host and hosts and self._first(path):
            self.notes.finding(
                "realise.template_not_host",
                "warning",
                f"Services stand on the machine {declared.name}, whose template {name!r} is not marked as a container "
                "host: without cloud-init in it nothing starts there. Choose a template for container hosts, or name "
                "this one in the cloud's option container_hosts.",
                path,
            )
        return fact

    def _first(self, path: tuple[str, ...]) -> bool:
        if path in self._told:
            return False
        self._told.add(path)
        return True

    def cluster_of(self, machine: Machine) -> str | None:
        """Return a machine's cluster, once ``place`` has chosen."""
        label = machine.key.removeprefix("machine:")
        before = self.prior.machines.get(label, {})
        declared = self.declarations.of_label.get(label)
        moved = self.drawn.get("cluster") or (declared is not None and declared.cluster)
        if before and not moved:
            return before.get("cluster")
        return self._clusters.get(machine.key)

    def datastore_of(self, machine: Machine) -> str | None:
        """Return the datastore that a machine was made on."""
        return self.prior.machines.get(machine.key.removeprefix("machine:"), {}).get("datastore")

    def _one_zone(self) -> str | None:
        """Return the zone that a deployment with a ground of its own stands in, as far as anybody says.

        Its subnets and volumes lie in one zone each, so that all of it stands in one.
        """
        named: list[tuple[tuple[str, ...], str | None]] = [(("x-escale", "cluster"), self.drawn.get("cluster"))]
        named += [((*one.path, "cluster"), one.cluster) for one in self.declarations.machines.values()]
        named = [(path, name) for path, name in named if name]
        before = self.prior.folder.get("zone")
        zone = before or (named[0][1] if named else None)
        for path, name in named:
            if name != zone:
                self.notes.finding(
                    "placement.zone_split",
                    "error",
                    f"The drawing asks for {name!r} here and stands in {zone!r}: a deployment's subnets and volumes "
                    "are in one zone on this cloud, for its life. Name one zone, or draw what belongs into another one "
                    "as a region and deploy that by itself.",
                    path,
                )
        return str(zone) if zone else None

    def place(self, machines: Sequence[Machine], disks: Mapping[str, DiskPlan]) -> dict[str, str]:
        """Choose clusters and datastores; what exists already stays and counts only by what it grows."""
        if not machines and not disks:
            return {}
        placed: dict[str, str] = {}
        inventory = self.target.inventory
        groups = self._groups(machines, disks)
        for position, group in enumerate(groups):
            choice = placement.choose(inventory, self._wish(group))
            self.notes.extend(choice.findings)
            self._clusters.update((machine.key, choice.cluster) for machine in group.machines)
            if "own_ground" in self.target.capabilities:
                self.zone = self.zone or choice.cluster
            placed.update({**choice.datastores, **group.fixed})
            if position < len(groups) - 1:
                inventory = self._without(inventory, group, choice)
        return placed

    def _groups(self, machines: Sequence[Machine], disks: Mapping[str, DiskPlan]) -> list[_Group]:
        """Return the machines by what they ask for; those that ask for nothing come last, and are always there."""
        rest = _Group()
        groups: dict[str, _Group] = {}
        of_volume: dict[str, tuple[_Group, str | None]] = {}
        present = set(self.prior.machines)
        for machine in machines:
            label = machine.key.removeprefix("machine:")
            cluster, store = self._wanted(self.declarations.of_label.get(label))
            group = groups.setdefault(cluster, _Group(cluster)) if cluster else rest
            group.machines.append(machine)
            if label in self.prior.machines:
                if group is not rest:
                    group.present.append(label)
                    present.discard(label)
            else:
                # A vSphere host keeps a swap file for each machine; clouds that sell sizes do not show theirs.
                swap_gib = 0 if machine.size else -(-machine.memory_mib // 1024)
                group.needs[machine.key] = (machine.system_disk_gib or 0) + swap_gib
                if store:
                    group.fixed[machine.key] = store
            of_volume.update((disk.volume, (group, store)) for disk in machine.disks)
        rest.present = [label for label in self.prior.machines if label in present]
        for plan in disks.values():
            key = plan.volume.key
            group, store = of_volume.get(key, (rest, None))
            before = self.prior.volumes.get(key)
            grown = plan.volume.size_gib - int(before["size_gib"]) if before else plan.volume.size_gib
            if grown > 0:
                group.needs[key] = grown
            if plan.volume.datastore:
                group.fixed[key] = plan.volume.datastore
            elif store and before is None:
                group.fixed[key] = store
        ordered = [groups[cluster] for cluster in sorted(groups)]
        return [*ordered, rest] if rest.machines or rest.needs or rest.fixed or not ordered else ordered

    def _wanted(self, declared: Declared | None) -> tuple[str | None, str | None]:
        """Return the cluster and datastore that a machine names, where the cloud has them."""
        if declared is None or not (declared.cluster or declared.datastore):
            return None, None
        inventory = self.target.inventory
        cluster = self._known(declared, "cluster", declared.cluster, (fact.name for fact in inventory.clusters))
        store = self._known(declared, "datastore", declared.datastore, (fact.name for fact in inventory.datastores))
        if "own_ground" in self.target.capabilities:
            return None, store
        return (None if cluster == self.drawn.get("cluster") else cluster), store

    def _known(self, declared: Declared, what: str, name: str | None, known: Iterable[str]) -> str | None:
        names = sorted(known)
        if not name or not names or name in names:
            return name
        path = (*declared.path, what)
        if self._first(path):
            self.notes.finding(
                f"placement.{what}_missing",
                "error",
                f"The {what} {name!r} of the machine {declared.name} does not exist on this cloud, so it has no place: "
                f"choose one of {', '.join(names[:20])}.",
                path,
            )
        return None

    def _wish(self, group: _Group) -> placement.Wish:
        present = [self.prior.machines[label] for label in group.present]
        general = self.zone or self.drawn.get("cluster") or (None if self.prior.machines else self.settings.cluster)
        return placement.Wish(
            machines=[(machine.cpus, machine.memory_mib) for machine in group.machines],
            disks=group.needs,
            fixed=group.fixed,
            cluster=group.cluster or general,
            datastore=self.settings.datastore,
            usual_cluster=self.prior.cluster(group.present) or self.prior.cluster(self.prior.machines),
            held_cpus=sum(int(body.get("cpus") or 0) for body in present),
            held_memory_mib=sum(int(body.get("memory_mib") or 0) for body in present),
            settled=all(machine.key.removeprefix("machine:") in self.prior.machines for machine in group.machines),
            policy=self.settings.placement,
            cpu_overcommit=self.settings.cpu_overcommit,
        )

    def _without(self, inventory: Inventory, group: _Group, choice: placement.Choice) -> Inventory:
        """Return the inventory less what a group of machines takes of it, for the groups after it."""
        wish = self._wish(group)
        standing = choice.cluster == wish.usual_cluster
        memory = sum(memory for _, memory in wish.machines) - (wish.held_memory_mib if standing else 0)
        cpus = sum(cpus for cpus, _ in wish.machines) - (wish.held_cpus if standing else 0)
        space: dict[str, int] = {}
        for key, store in choice.datastores.items():
            space[store] = space.get(store, 0) + group.needs.get(key, 0)
        clusters = tuple(
            replace(
                fact,
                memory_used_mib=fact.memory_used_mib + max(0, memory),
                cpu_used_mhz=fact.cpu_used_mhz
                + int(fact.cpu_mhz * max(0, cpus) / (max(1, fact.cpus) * self.settings.cpu_overcommit)),
            )
            if fact.name == choice.cluster
            else fact
            for fact in inventory.clusters
        )
        stores = tuple(replace(fact, free_gib=fact.free_gib - space.get(fact.name, 0)) for fact in inventory.datastores)
        return replace(inventory, clusters=clusters, datastores=stores)
