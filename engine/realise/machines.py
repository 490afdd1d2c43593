"""Realise a drawing as container machines: virtual machines that a container engine runs in."""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from engine import quotas
from engine.compose.model import Project
from engine.observed import Target, TemplateFact
from engine.plan import Requirements
from engine.realise import verdicts
from engine.realise.adopted import adopted_machines, refuse_stray_keys
from engine.realise.declared import Declarations, Declared, read_declarations
from engine.realise.desired import Desired
from engine.realise.extension import Extensions, read_extensions
from engine.realise.groups import make_units
from engine.realise.images import runnable
from engine.realise.naming import machine_name, natural, slug
from engine.realise.notes import Notes
from engine.realise.openings import Opener
from engine.realise.packing import Bounds, Host, Unit, pack
from engine.realise.parts import PartWriter, ServicePart, compose_text, secret_files_of
from engine.realise.pinning import Pinner
from engine.realise.prior import Prior
from engine.realise.settings import (
    MAX_DATA_DISKS,
    OVERHEAD_MIB,
    Settings,
    machine_size,
    most_cards,
    settle,
)
from engine.realise.sites import Sites
from engine.realise.sizing import Sizer
from engine.realise.spans import Scene
from engine.realise.volumes import DiskPlan, mount_disks, plan_disks, used_volumes
from engine.realise.wiring import Wiring, wire
from engine.resources import Folder, Machine, Network, Nic, Owner, Resource, Volume, Workload
from engine.userdata import FORMAT, document, plain_document, render
from engine.userdata.contents import file_mode
from engine.wording import counted, listed

# A guestinfo value holds 64 KiB, compressed and in base64 (open-vm-tools, guest_msg_def.h); the agent takes some.
_MAX_SHIPPED = 60 * 1024
_AGENT_SHARE = 12 * 1024
_AGENT_ALONE = 10_500  # the agent and its units, compressed, with what fetches secrets: a token and a certificate


def realise_machines(
    project: Project,
    target: Target,
    owner: Owner,
    policy: Mapping[str, Any],
    images: Mapping[str, str],
    prior: Mapping[str, Any] | None,
) -> Desired:
    """Return what a drawing becomes on a target that boots machines."""
    return _Realiser(project, target, owner, policy, images, Prior(prior)).run()


class _Realiser:
    def __init__(
        self,
        project: Project,
        target: Target,
        owner: Owner,
        policy: Mapping[str, Any],
        images: Mapping[str, str],
        prior: Prior,
    ) -> None:
        self.project, self.target, self.owner, self.images, self.prior = project, target, owner, images, prior
        self.notes = Notes(project)
        self.extensions: Extensions = read_extensions(project)
        self.notes.extend(self.extensions.findings)
        self.settings: Settings = settle(target, policy, self.extensions.project)
        self.marks: Mapping[str, str] = policy.get("secret_marks") or {}
        self.services: dict[str, Any] = runnable(project, images, self.notes)
        self.declarations: Declarations = read_declarations(self.extensions, self.services, self.notes)
        self.sites = Sites(target, self.settings, self.extensions.project, self.declarations, prior, self.notes)
        self.sizer = Sizer(target, self.settings, self.extensions.project, self.declarations, prior, self.notes)
        self.largest: dict[str, tuple[int, int]] = {}  # drawn machine -> what its fullest one holds (thousandths, MiB)

    def run(self) -> Desired:
        used = used_volumes(self.services)
        disks = plan_disks(
            self.project.volumes(), used, self.extensions, self.settings, self.owner, self.prior, self.notes
        )
        hosts = self._pack({name: users for name, users in used.items() if name in disks})
        labels = [host.label for host in hosts]
        at = self._at(hosts)
        config = {**self.project.config, "services": self.services}
        plain = frozenset(position for position, label in enumerate(labels) if self.declarations.plain(label))
        scene = Scene(config, self.extensions, labels, at, self.notes, plain)
        wiring = wire(scene, self.target, self.owner, self.settings, self.prior)
        opener = Opener(scene, self.target, self.owner, self.settings, self.prior)
        opener.open()
        machines = [
            replace(machine, firewall=opener.firewall_of(machine.key.removeprefix("machine:")))
            for machine in self.sizer.fit(self._machines(hosts, disks, wiring))
        ]
        datastores = self.sites.place(machines, disks)
        folder = Folder(
            "folder:deployment",
            (
                "escale",
                self.owner.organization,
                self.owner.project,
                f"{self.owner.deployment}-{self.owner.deployment_id.replace('-', '')[:8]}",
            ),
            wiring.ground,
            self.sites.zone,
        )
        resources: dict[str, Resource] = {folder.key: folder} if machines or disks else {}
        resources.update(sorted(wiring.resources.items()) if machines else ())
        resources.update(sorted(opener.resources.items()))
        for name in sorted(disks):
            volume = disks[name].volume
            resources[volume.key] = replace(volume, datastore=datastores.get(volume.key))
        for machine in machines:
            resources[machine.key] = replace(
                machine,
                cluster=self.sites.cluster_of(machine),
                datastore=datastores.get(machine.key) or self.sites.datastore_of(machine),
            )
        adopted = adopted_machines(self.declarations.adopted, self.notes)
        resources.update((machine.key, machine) for machine in adopted)
        refuse_stray_keys(self.declarations.machines, self.extensions.project.get("machines") or {}, self.notes)
        if self.target.inventory.quotas:
            findings = quotas.check(self.target.inventory.quotas, resources.values(), self.prior.resources)
            self.notes.extend(findings)
        self._tell_declared({machine.key: machine for machine in machines})
        verdicts.enter(self.notes, self.project.config, self.extensions.paths())
        return Desired(
            resources,
            self.notes.entries,
            self.notes.findings,
            self._requirements(resources),
            {
                f"machine:{labels[machine]}": tuple(f"machine:{labels[other]}" for other in sorted(others))
                for machine, others in sorted(wiring.after.items())
            },
            self._regions(hosts),
        )

    def _image(self, service: str) -> str:
        return self.images.get(service) or str(self.services[service].get("image") or "")

    # Machines and what stands on them.

    def _pack(self, disks_used: Mapping[str, Sequence[str]]) -> list[Host]:
        settings = self.settings
        units = make_units(self.services, self.extensions, settings, disks_used, self.declarations, self.notes)
        pinned = [unit for unit in units if unit.pin]
        units = [unit for unit in units if not unit.pin] if pinned else units
        bounds = Bounds(
            settings.max_cpus * 1000,
            settings.max_memory_mib - OVERHEAD_MIB,
            max(most_cards(self.target) - 2, 1),
            MAX_DATA_DISKS,
        )
        for unit in units:
            if unit.millicpus > bounds.millicpus or unit.memory_mib > bounds.memory_mib:
                self._too_large(unit, bounds)
        hosts = pack(units, bounds, self.prior.placement, self.declarations.of_label)
        if self.declarations.machines:
            pinner = Pinner(self.declarations, bounds, self.services, self.extensions, self.notes)
            drawn = pinner.place(pinned, self.prior.placement)
            for host in drawn:
                name = self.declarations.of_label[host.label].name
                cpus, memory = self.largest.get(name, (0, 0))
                self.largest[name] = max(cpus, host.millicpus), max(memory, host.memory_mib)
            hosts.extend(drawn)
        return sorted(hosts, key=lambda host: natural(host.label))

    def _too_large(self, unit: Unit, bounds: Bounds) -> None:
        names = sorted(unit.services)
        who = f"The service {names[0]} needs" if len(names) == 1 else f"{', '.join(names)} stand together and need"
        self.notes.finding(
            "realise.service_too_large",
            "error",
            f"{who} {counted(unit.millicpus / 1000, 'CPU')} and {unit.memory_mib} MiB, more than the largest machine "
            f"has room for ({counted(bounds.millicpus // 1000, 'CPU')}, {bounds.memory_mib} MiB besides the engine's "
            f"{OVERHEAD_MIB}): ask for less, or allow larger machines (x-escale: "
            "{machine: {max_cpus, max_memory}}).",
            ("services", names[0]),
        )

    def _at(self, hosts: Sequence[Host]) -> dict[str, list[int]]:
        at: dict[str, list[int]] = {name: [] for name in self.services}
        for position, host in enumerate(hosts):
            for service in sorted(host.services):
                at[service].append(position)
        return {service: positions for service, positions in at.items() if positions}

    def _machines(self, hosts: Sequence[Host], disks: Mapping[str, DiskPlan], wiring: Wiring) -> list[Machine]:
        writer = PartWriter(self.project, self.images, disks, wiring.spanning, self.owner.deployment, self.notes)
        parts: dict[str, ServicePart] = {}
        labels = [host.label for host in hosts]
        for host in hosts:
            for service in sorted(host.services):
                if service not in parts:
                    parts[service] = writer.service(service)
        writer.report()
        sections = _Sections(writer)
        apart = _apart(hosts)
        template = self._template(labels)
        known = self.project.secrets().keys() - writer.missing_secrets
        machines = []
        for position, host in enumerate(hosts):
            if self.declarations.plain(host.label):
                machines.append(self._plain(host.label, template, wiring.nics[position]))
                continue
            here = {service: parts[service] for service in sorted(host.services)}
            mounted = sorted({name for part in here.values() for name in part.volumes if name in disks})
            mounts = mount_disks(host.label, [disks[name] for name in mounted], self.prior, self.notes)
            units = {mount.volume: mount.unit for mount in mounts}
            cpus, memory = self._size(host)
            fetched = secret_files_of(list(here.values()))
            settings = {
                "format": FORMAT,
                "deployment": self.owner.deployment,
                "machine": machine_name(self.owner.deployment, host.label),
                "engine": self.settings.engine,
                "disks": [
                    {
                        "volume": name,
                        "path": disks[name].path,
                        "unit": units.get(disks[name].volume.key),
                        "uuid": disks[name].uuid,
                        "filesystem": disks[name].filesystem,
                    }
                    for name in mounted
                ],
                "secrets": [
                    {
                        "path": path,
                        "uid": place.uid,
                        "gid": place.gid,
                        "mode": place.mode,
                        "empty": place.source not in known,
                        **({"mark": self.marks[place.source]} if place.source in self.marks else {}),
                    }
                    for path, place in sorted(fetched.items())
                ],
                "owners": [
                    {"path": place.path, "uid": place.uid, "gid": place.gid, "mode": place.mode}
                    for part in here.values()
                    for place in part.owners
                ],
                "waits": list(wiring.waits.get(position, ())),
                "after": [f"machine:{labels[other]}" for other in sorted(wiring.after.get(position, ()))],
            }
            files = {path: (data, file_mode(data)) for part in here.values() for path, data in part.files.items()}
            files.update(
                (place.path, (part.files[place.path], place.mode)) for part in here.values() for place in part.owners
            )
            fetches = any(place.source in known for place in fetched.values())
            userdata = document(
                compose_text(self.owner.deployment, self._part(position, host, here, sections, wiring)),
                settings,
                files,
                fetches,
            )
            self._check_size(host, userdata, files)
            name, size = self.sites.template_of(host.label, template)
            machines.append(
                Machine(
                    key=f"machine:{host.label}",
                    name=str(self.prior.machines.get(host.label, {}).get("name") or settings["machine"]),
                    template=name,
                    cpus=cpus,
                    memory_mib=memory,
                    nics=wiring.nics[position],
                    disks=mounts,
                    workloads=tuple(self._workloads(host)),
                    userdata=userdata,
                    fetches_secrets=fetches,
                    anti_affinity=apart.get(host.label),
                    system_disk_gib=size,
                )
            )
        return machines

    def _template(self, labels: Sequence[str]) -> TemplateFact | None:
        """Return the template of machines that name none; it may lack where all name one."""
        of_label = self.declarations.of_label
        if labels and all(label in of_label and of_label[label].template for label in labels):
            return None
        return self.sites.template()

    def _size(self, host: Host) -> tuple[int, int]:
        declared = self.declarations.of_label.get(host.label)
        if declared is None:
            return machine_size(self.settings, host.millicpus, host.memory_mib)
        # The machines of a pool are alike, whatever stands on which.
        cpus, memory = machine_size(self.settings, *self.largest[declared.name])
        return declared.cpus or cpus, declared.memory_mib or memory

    def _plain(self, label: str, template: TemplateFact | None, nics: tuple[Nic, ...]) -> Machine:
        """Return a machine that is only cloned and named; as large as its template unless the drawing says so."""
        declared = self.declarations.of_label[label]
        name, disk_gib = self.sites.template_of(label, template)
        cpus, memory_mib = self.sites.template_size(label, template)
        drawn = machine_name(self.owner.deployment, label)
        return Machine(
            key=f"machine:{label}",
            name=str(self.prior.machines.get(label, {}).get("name") or drawn),
            template=name,
            cpus=declared.cpus or cpus or self.settings.min_cpus,
            memory_mib=declared.memory_mib or memory_mib or self.settings.min_memory_mib,
            nics=nics,
            userdata=plain_document(drawn),
            system_disk_gib=disk_gib,
            plain=True,
        )

    def _tell_declared(self, machines: Mapping[str, Machine]) -> None:
        """Enter in the ledger what each drawn machine became."""
        for declared in self.declarations.machines.values():
            made = [machines[f"machine:{label}"] for label in declared.labels]
            self.notes.ledger(declared.path, "honoured", _became(declared, made), "x-escale.machines")

    def _regions(self, hosts: Sequence[Host]) -> dict[str, str]:
        """Return machine -> region: the declared one, or the one that all its services belong to."""
        if not self.declarations.regions:
            return {}
        found: dict[str, str] = {}
        for host in hosts:
            declared = self.declarations.of_label.get(host.label)
            regions = {declared.region} if declared else {self._region(service) for service in host.services}
            if len(regions) == 1:
                found[f"machine:{host.label}"] = regions.pop()
        found.update((f"machine:{one.name}", one.region) for one in self.declarations.adopted.values() if one.region)
        return found

    def _region(self, service: str) -> str:
        wanted = self.extensions.services.get(service, {}).get("region")
        return str(wanted) if wanted in self.declarations.regions else self.declarations.regions[0]

    def _workloads(self, host: Host) -> list[Workload]:
        counted: dict[str, int] = {}
        found = []
        for service, replica in host.workloads:
            counted[service] = counted.get(service, 0) + 1
            name = self.services[service].get("container_name")
            container = str(name) if name else f"{self.owner.deployment}-{service}-{counted[service]}"
            found.append(Workload(service, replica, self._image(service), container))
        return found

    def _part(
        self, position: int, host: Host, parts: Mapping[str, ServicePart], sections: _Sections, wiring: Wiring
    ) -> dict[str, dict[str, Any]]:
        """Return the sections of a machine's Compose file: its services, without what stands elsewhere."""
        counts: dict[str, int] = {}
        for service, _ in host.workloads:
            counts[service] = counts.get(service, 0) + 1
        services: dict[str, Any] = {}
        networks: dict[str, Any] = {}
        for service, part in parts.items():
            source, body = self.services[service], dict(part.body)
            if counts[service] > 1:
                body["scale"] = counts[service]
            needs = {name: need for name, need in (source.get("depends_on") or {}).items() if name in parts}
            if needs:
                body["depends_on"] = needs
            links = [link for link in source.get("links") or () if str(link).partition(":")[0] in parts]
            if links:
                body["links"] = links
            entries = [str(entry).replace("=", ":", 1) for entry in source.get("extra_hosts") or ()]
            for name, addresses in sorted(wiring.hosts.get((position, service), {}).items()):
                entries.extend(f"{name}:{address}" for address in addresses)
            if entries:
                body["extra_hosts"] = entries
            published = wiring.published.get((position, service))
            if published:
                body["ports"] = [
                    *(source.get("ports") or ()),
                    *(
                        {
                            "mode": "ingress",
                            "host_ip": address,
                            "target": port,
                            "published": str(port),
                            "protocol": kind,
                        }
                        for address, port, kind in published
                    ),
                ]
            for network in body.get("networks") or ():
                networks[network] = sections.network(network)
            services[service] = body
        everything = parts.values()
        return {
            "services": services,
            "networks": dict(sorted(networks.items())),
            "volumes": {
                name: sections.volume(name) for name in sorted({name for part in everything for name in part.volumes})
            },
            "secrets": {
                place.alias: {"file": place.path}
                for part in everything
                for place in sorted(part.secrets, key=lambda place: place.alias)
            },
            "configs": {
                place.alias: {"file": place.path}
                for part in everything
                for place in sorted(part.configs, key=lambda place: place.alias)
            },
        }

    def _check_size(self, host: Host, userdata: Mapping[str, Any], files: Mapping[str, tuple[bytes, str]]) -> None:
        room = self.target.inventory.userdata_bytes
        if room:
            # Compressed as it is, and not put into text.
            packed, most = len(zlib.compress(render(_own(userdata), compact=True).encode(), 9)), room - _AGENT_ALONE
        else:
            most = _MAX_SHIPPED - _AGENT_SHARE
            plain = sum(len(entry["content"]) + len(entry["path"]) + 120 for entry in userdata["write_files"])
            if plain <= most:
                return
            text = "".join(entry["content"] for entry in userdata["write_files"])
            packed = len(zlib.compress(text.encode(), 9)) * 4 // 3
        if packed <= most:
            return
        largest = sorted(files, key=lambda path: -len(files[path][0]))[:3]
        self.notes.finding(
            "realise.userdata_too_large",
            "error",
            f"The machine {machine_name(self.owner.deployment, host.label)} would need {packed // 1024} KiB of "
            f"user-data, a "
            f"cloud passes on {most // 1024} KiB"
            + (f" (largest files: {', '.join(largest)})" if largest else "")
            + ": put files into an image, or fewer services on a machine (x-escale: {isolation: machine}).",
        )

    def _requirements(self, resources: Mapping[str, Resource]) -> Requirements:
        # Adopted machines have their room already.
        made = (resource for resource in resources.values() if isinstance(resource, Machine))
        machines = [machine for machine in made if machine.adopted is None]
        volumes = sum(resource.size_gib for resource in resources.values() if isinstance(resource, Volume))
        return Requirements(
            machines=len(machines),
            cpus=sum(machine.cpus for machine in machines),
            memory_mib=sum(machine.memory_mib for machine in machines),
            disk_gib=volumes + sum(machine.system_disk_gib or 0 for machine in machines),
            networks=sum(1 for resource in resources.values() if isinstance(resource, Network) and resource.managed),
        )


def _own(userdata: Mapping[str, Any]) -> dict[str, Any]:
    """Return user-data without what all machines have alike."""
    return {"write_files": [entry for entry in userdata["write_files"] if not entry["content"].startswith("escale:")]}


class _Sections:
    """Keep the networks and volumes of all parts: every machine with a network has the same bridge."""

    def __init__(self, writer: PartWriter) -> None:
        self._writer = writer
        self._networks: dict[str, dict[str, Any]] = {}
        self._volumes: dict[str, dict[str, Any]] = {}

    def network(self, name: str) -> dict[str, Any]:
        if name not in self._networks:
            self._networks[name] = self._writer.network(name)
        return self._networks[name]

    def volume(self, name: str) -> dict[str, Any]:
        if name not in self._volumes:
            self._volumes[name] = self._writer.volume(name)
        return self._volumes[name]


def _became(declared: Declared, made: Sequence[Machine]) -> str:
    """Say what a drawn machine became."""
    first = made[0]
    size = f"{counted(first.cpus, 'CPU')} and {first.memory_mib} MiB"
    many = counted(len(made), "machine") if declared.pool else "a machine"
    if first.plain:
        return (
            f"{many} of {size}, cloned from {first.template or 'the template'}: cloud-init sets the host name, and "
            "nothing else is installed"
        )
    services = sorted({workload.service for machine in made for workload in machine.workloads})
    shown = listed(services, 8)
    return f"{many} of {size} for {shown or 'no container yet'}" + ("; replicas are spread" if declared.pool else "")


def _apart(hosts: Sequence[Host]) -> dict[str, str]:
    """Return machine -> a name shared by the machines that want different hosts.

    Machines want that whose containers must or should keep apart; a chain of such wishes is one name.
    """
    leader: dict[str, str] = {}

    def find(name: str) -> str:
        leader.setdefault(name, name)
        while leader[name] != name:
            leader[name] = leader[leader[name]]
            name = leader[name]
        return name

    standing: dict[str, int] = {}
    for host in hosts:
        for service in host.services:
            standing[service] = standing.get(service, 0) + 1
    wishes: dict[str, set[str]] = {}
    for host in hosts:
        for service in host.services:
            if (service in host.refused or service in host.avoided) and standing[service] > 1:
                find(service)
        for unit in host.units:
            for other in unit.hard | unit.soft:
                if other not in unit.services and other in standing:
                    wishes.setdefault(min(unit.services), set()).add(other)
    for service, others in wishes.items():
        for other in others:
            first, second = sorted((find(service), find(other)))
            leader[second] = first
    return {
        host.label: slug(min(find(service) for service in host.services if service in leader))
        for host in hosts
        if any(service in leader for service in host.services)
    }
