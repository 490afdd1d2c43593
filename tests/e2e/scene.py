"""Fill a database with everything the pages have a form for, so that each page can be looked at in each state.

Names of hostile people are among it: whatever a page shows of them must be text.
"""

from __future__ import annotations

import datetime
import uuid
from dataclasses import dataclass, field
from typing import Any

from django.utils import timezone

from apps.blueprints.models import Blueprint, BlueprintVersion, SuppliedFile
from apps.blueprints.services import version_digest
from apps.clouds.models import Cloud
from apps.deployments.models import Deployment, Plan, Resource
from apps.operations.models import Event, Operation, Step
from apps.tenancy import services as tenancy
from apps.tenancy.access import System
from apps.tenancy.models import Organization, Project, User
from engine.resources import digest

HOSTILE = "<script>alert('x')</script>"
HOSTILE_ATTRIBUTE = '"><img src=x onerror=alert(1)>'

OWNER = {
    "organization_id": str(uuid.UUID(int=1)), "organization": "acme",
    "project_id": str(uuid.UUID(int=2)), "project": "shop",
    "deployment_id": str(uuid.UUID(int=3)), "deployment": "shop",
}  # fmt: skip

COMPOSE = """\
# The shop: a page, an API and its database.
name: shop
services:
  web:
    image: nginx:1.29
    ports: ["8080:80"]
    depends_on:
      api:
        condition: service_started
    networks: [front, back]
  api:
    build: ./api
    environment:
      DATABASE_URL: postgresql://db:5432/shop
      TOKEN_FILE: /run/secrets/token
    secrets: [token]
    deploy:
      replicas: 2
      resources:
        limits: {cpus: "0.5", memory: 512M}
    networks: [back]
  db:
    image: "postgres:18"
    shm_size: 128m
    sysctls:
      net.core.somaxconn: 1024
    volumes:
      - data:/var/lib/postgresql
    command: |
      postgres -c shared_buffers=256MB
    networks: [back]
    x-escale: {isolation: machine}
networks:
  front:
  back:
volumes:
  data:
secrets:
  token:
    file: ./token.txt
"""

LEDGER = [
    (5, ("services", "web", "image"), "honoured", "Pulled by the machine that runs it."),
    (6, ("services", "web", "ports"), "honoured", "Published on the machine’s address."),
    (8, ("services", "web", "depends_on", "api"), "approximated",
     "Services on other machines are waited for by their machine being ready, not by the container’s own state."),
    (12, ("services", "api", "build"), "approximated",
     "Nothing is built on a cloud: the image given for api is run instead."),
    (16, ("services", "api", "secrets"), "honoured", "Fetched once over HTTPS by the machine when it boots."),
    (18, ("services", "api", "deploy", "replicas"), "honoured", "Two containers, on different machines."),
    (24, ("services", "db", "shm_size"), "honoured", ""),
    (26, ("services", "db", "sysctls", "net.core.somaxconn"), "dropped",
     "The container engine refuses kernel settings that are not its own; set it in the template."),
    (28, ("services", "db", "volumes"), "honoured", "A data disk that outlives the machine."),
]  # fmt: skip


@dataclass
class Scene:
    """Hold what was made, by name."""

    organization: Organization
    shop: Project
    lab: Project
    people: dict[str, User] = field(default_factory=dict)
    clouds: dict[str, Cloud] = field(default_factory=dict)
    designs: dict[str, Blueprint] = field(default_factory=dict)
    plans: dict[str, Plan] = field(default_factory=dict)
    deployments: dict[str, Deployment] = field(default_factory=dict)
    operations: dict[str, Operation] = field(default_factory=dict)


def ago(**what: float) -> datetime.datetime:
    return timezone.now() - datetime.timedelta(**what)


def inventory(machines: int = 41, memory_used: float = 0.55) -> dict[str, Any]:
    memory = 6 * 512 * 1024
    return {
        "templates": [
            {"id": "vm-1", "name": "escale-debian-13", "cpus": 2, "memory_mib": 2048, "disk_gib": 20,
             "guest": "Debian GNU/Linux 13 (64-bit)", "container_host": True},
            {"id": "vm-2", "name": "windows-2025", "cpus": 4, "memory_mib": 8192, "disk_gib": 60,
             "guest": "Microsoft Windows Server 2025", "container_host": False},
        ],
        "clusters": [
            {"id": "c-1", "name": "blue", "hosts": 4, "cpus": 128, "cpu_mhz": 332_800, "cpu_used_mhz": 99_000,
             "memory_mib": memory * 4 // 6, "memory_used_mib": int(memory * 4 / 6 * memory_used)},
            {"id": "c-2", "name": "green", "hosts": 2, "cpus": 64, "cpu_mhz": 166_400, "cpu_used_mhz": 31_000,
             "memory_mib": memory * 2 // 6, "memory_used_mib": int(memory * 2 / 6 * memory_used)},
        ],
        "datastores": [
            {"id": "d-1", "name": "vsan-blue", "type": "vsan", "capacity_gib": 40_960, "free_gib": 12_100,
             "clusters": ["blue"], "accessible": True},
            {"id": "d-2", "name": "nfs-archive", "type": "NFS", "capacity_gib": 10_240, "free_gib": 812.5,
             "clusters": [], "accessible": True},
            {"id": "d-3", "name": HOSTILE, "type": "VMFS", "capacity_gib": 2_048, "free_gib": 0,
             "clusters": ["green"], "accessible": False},
        ],
        "networks": [
            {"id": "n-1", "name": "VM Network", "type": "standard", "vlan": None},
            {"id": "n-2", "name": "dvs-prod", "type": "distributed", "vlan": 120},
        ],
        "switches": ["dvs-0"],
        "machines": machines,
    }  # fmt: skip


def make_scene(password: str) -> Scene:
    """Make all of it in an empty database; every person has this password."""
    organization = tenancy.create_organization("acme", "Acme Logistics")
    who = System(organization)
    shop = tenancy.create_project(who, "shop", "Web shop")
    lab = tenancy.create_project(who, "lab", "Laboratory")
    scene = Scene(organization, shop, lab)
    for name, role in (("alice", "admin"), ("bob", "architect"), ("olga", "operator"), ("victor", "viewer")):
        user = tenancy.create_user(who, name, password, f"{name}@acme.example")
        tenancy.add_member(who, user, role)
        scene.people[name] = user
    newcomer = tenancy.create_user(who, "nora", password)
    tenancy.add_member(who, newcomer, "architect", lab)
    scene.people["nora"] = newcomer
    tenancy.issue_token(who, "deploy pipeline", "architect", user=scene.people["alice"], project=shop)
    tenancy.issue_token(who, HOSTILE, "viewer", user=scene.people["alice"])
    _clouds(scene)
    _designs(scene)
    _plans(scene)
    _deployments(scene)
    return scene


def _clouds(scene: Scene) -> None:
    well = {"ok": True, "summary": "VMware vCenter Server 8.0.3", "code": None, "findings": [],
            "facts": {"product": "VMware vCenter Server", "version": "8.0.3", "latency_ms": 41.3,
                      "instance_uuid": str(uuid.uuid4())}}  # fmt: skip
    down = {"ok": False, "code": "cloud.unreachable", "facts": {}, "findings": [],
            "summary": "The cloud does not answer - no connection to vcenter.fra.example:443 within 10 s - "
                       "check the address and the network between the portal and the cloud."}  # fmt: skip
    for name, title, flavour, region, health, used in (
        ("paris", "Paris", "private", "Paris, rack 7", well, 0.55),
        ("roubaix", "Roubaix", "ovh", "RBX8", well, 0.91),
        ("frankfurt", "Frankfurt", "ibm", "eu-de-2", down, 0.3),
        ("oregon", "Oregon", "vmc", "us-west-2", None, 0.0),
    ):
        scene.clouds[name] = Cloud.objects.create(
            organization=scene.organization, name=name, title=title, kind="fake", flavour=flavour, region=region,
            address=f"vcenter.{name}.example", thumbprint="3f" * 32, health=health,
            health_at=ago(minutes=1) if health else None,
            inventory=inventory(memory_used=used) if health else None,
            inventory_at=ago(seconds=52) if health is well else (ago(hours=3) if health else None),
        )  # fmt: skip


def _designs(scene: Scene) -> None:
    texts = [COMPOSE.replace("nginx:1.29", "nginx:1.27"), COMPOSE.replace("replicas: 2", "replicas: 1"), COMPOSE]
    scene.designs["shop"] = design(scene, "shop", texts, description="Page, API and database of the web shop")
    wiki = "services:\n  wiki:\n    image: wiki:1\n"
    scene.designs["wiki"] = design(scene, "wiki", [wiki])
    hostile = f'services:\n  web:\n    image: nginx\n    labels:\n      title: "{HOSTILE}"\n# {HOSTILE_ATTRIBUTE}\n'
    scene.designs["hostile"] = design(scene, "hostile", [hostile], description=HOSTILE, message=HOSTILE_ATTRIBUTE)
    long = "a-name-that-is-as-long-as-a-name-may-be-and-not-one-letter-more"
    scene.designs["long"] = design(scene, long[:63], [wiki], description="What it is for. " * 20)


def design(scene: Scene, name: str, texts: list[str], description: str = "", message: str = "") -> Blueprint:
    blueprint = Blueprint.objects.create(
        project=scene.shop, name=name, description=description, created_by=scene.people["bob"]
    )
    messages = ["First draft", "One replica is enough", "Newer nginx, two replicas again"]
    for number, text in enumerate(texts, start=1):
        version = BlueprintVersion.objects.create(
            blueprint=blueprint, number=number, text=text, digest=version_digest(text, {}, {}),
            message=message or messages[number - 1], created_by=scene.people["bob"],
        )  # fmt: skip
        if "token.txt" in text:
            from apps.blueprints import files

            files.store(version, {"token.txt": b"hush"})
            assert SuppliedFile.objects.filter(version=version).exists()
    return blueprint


def change(key: str, change: str, cause: str, *details: tuple[str, str, str], **more: Any) -> dict[str, Any]:
    kind, _, name = key.partition(":")
    return {"resource": key, "kind": kind, "name": name, "change": change, "cause": cause, "details": details,
            "destructive": False, "data_loss": False, **more}  # fmt: skip


def action(key: str, verb: str, title: str, cause: str, needs: tuple[str, ...] = (), **more: Any) -> dict[str, Any]:
    return {"key": f"{key}/{verb}", "verb": verb, "resource": key, "change": "create", "title": title, "cause": cause,
            "depends_on": list(needs), "spec": {}, "external_id": None, "uses": [], "serial": None,
            "destructive": False, "data_loss": False, **more}  # fmt: skip


def _body(changes: list[dict[str, Any]], actions: list[dict[str, Any]], **more: Any) -> dict[str, Any]:
    counts = dict.fromkeys(("create", "update", "replace", "delete", "keep"), 0)
    for item in changes:
        counts[item["change"]] += 1
    ledger = [
        {"line": line, "path": list(path), "verdict": verdict, "reason": reason or "As written.", "code": "ledger.x"}
        for line, path, verdict, reason in LEDGER
    ]
    ledger.append({"line": None, "path": ["networks", "default"], "verdict": "approximated", "code": "ledger.network",
                   "reason": "No service uses the default network, so none is made."})  # fmt: skip
    return {"format": 1, "hash": digest(actions), "target": "paris", "base": "base", "counts": counts, "ledger": ledger,
            "requirements": {"machines": 3, "cpus": 6, "memory_mib": 7168, "disk_gib": 80, "networks": 2},
            "findings": [], "changes": changes, "actions": actions, "desired": {},
            "owner": OWNER, **more}  # fmt: skip


def _create_changes() -> list[dict[str, Any]]:
    return [
        change("folder:deployment", "create", "The deployment is new."),
        change("network:front", "create", "The drawing has the network front.", ("port group", "", "shop-front")),
        change("network:back", "create", "The drawing has the network back.", ("port group", "", "shop-back")),
        change("volume:data", "create", "The drawing has the volume data.", ("size", "", "20 GiB")),
        change("machine:web-1", "create", "web and one of api are packed together.", ("CPUs", "", "2"),
               ("memory", "", "2 GiB"), ("containers", "", "web, api/1")),
        change("machine:api-1", "create", "Replicas of api are spread over machines.", ("CPUs", "", "2"),
               ("memory", "", "1 GiB"), ("containers", "", "api/2")),
        change("machine:db-1", "create", "db asks for a machine of its own (x-escale).", ("CPUs", "", "2"),
               ("memory", "", "4 GiB"), ("containers", "", "db")),
    ]  # fmt: skip


def _create_actions() -> list[dict[str, Any]]:
    actions = [
        action("folder:deployment", "folder.create", "Make the folder", "The deployment is new."),
        action("network:front", "network.create", "Make the network front", "The drawing has it."),
        action("network:back", "network.create", "Make the network back", "The drawing has it."),
        action("volume:data", "volume.create", "Make the data disk data", "The drawing has it."),
    ]
    for name in ("web-1", "api-1", "db-1"):
        key = f"machine:{name}"
        needs = ["folder:deployment/folder.create", "network:back/network.create"]
        needs += ["network:front/network.create"] if name == "web-1" else []
        needs += ["volume:data/volume.create"] if name == "db-1" else []
        actions += [
            action(key, "machine.create", f"Clone {name} from escale-debian-13", "The drawing has it.", tuple(needs)),
            action(key, "machine.start", f"Start {name}", "A machine runs.", (f"{key}/machine.create",)),
            action(key, "machine.ready", f"Wait until {name} reports its address", "Others need its address.",
                   (f"{key}/machine.start",)),
        ]  # fmt: skip
    return actions


def _plan(scene: Scene, key: str, body: dict[str, Any], **more: Any) -> Plan:
    values = {
        "project": scene.shop, "cloud": scene.clouds["paris"], "deployment_id": uuid.uuid4(), "deployment_name": "shop",
        "version": scene.designs["shop"].versions.first(), "body": body, "hash": body["hash"],
        "images": {"api": "registry.acme.example/api:4.2"}, "created_by": scene.people["bob"],
    }  # fmt: skip
    scene.plans[key] = Plan.objects.create(**(values | more))
    return scene.plans[key]


def _plans(scene: Scene) -> None:
    _plan(scene, "create", _body(_create_changes(), _create_actions()))
    mixed = [
        change("machine:web-1", "update", "The service web has another image.", ("image", "nginx:1.27", "nginx:1.29")),
        change("machine:api-1", "replace", "The template cannot be changed in place.",
               ("template", "debian-12", "escale-debian-13"), destructive=True),
        change("volume:cache", "delete", "The drawing has no volume cache any more.", ("size", "40 GiB", ""),
               destructive=True, data_loss=True),
        change("machine:db-1", "keep", "Nothing about it has changed."),
        change("network:back", "keep", "Nothing about it has changed."),
    ]  # fmt: skip
    _plan(scene, "mixed", _body(mixed, _create_actions()[4:8]))
    blocked = {"code": "realise.image_missing", "severity": "error", "path": ["services", "api"], "line": 12,
               "column": 5, "hint": "",
               "message": "The service api only says how to build - a cloud runs images from a registry - give an "
                          "image for it in the plan."}  # fmt: skip
    warning = {"code": "placement.room", "severity": "warning", "path": [], "line": None, "column": None,
               "message": f"The cluster {HOSTILE} has little room left.", "hint": "Choose another one."}  # fmt: skip
    _plan(scene, "blocked", _body(_create_changes()[:2], _create_actions()[:2], findings=[blocked, warning]))
    destroy = [
        change("machine:web-1", "delete", "The deployment is destroyed.", destructive=True),
        change(f"machine:{HOSTILE}", "delete", "The deployment is destroyed.", destructive=True),
        change("volume:data", "delete", "The deployment is destroyed.", ("size", "20 GiB", ""), destructive=True,
               data_loss=True),
    ]  # fmt: skip
    _plan(scene, "destroy", _body(destroy, _create_actions()[:3]), purpose="destroy")
    _plan(scene, "empty", _body([change("machine:web-1", "keep", "Nothing about it has changed.")], []))


def _deployments(scene: Scene) -> None:
    shop = deployment(scene, "shop", "paris", "running")
    _resources(shop)
    scene.operations["done"] = operation(scene, "Deploy shop on paris", "succeeded", shop, kind="deploy")
    failed = deployment(scene, "shop-staging", "roubaix", "failed")
    _resources(failed, machines=1)
    scene.operations["failed"] = operation(scene, "Deploy shop-staging on roubaix", "failed", failed, kind="deploy")
    changing = deployment(scene, "wiki", "paris", "deploying", design="wiki")
    scene.operations["running"] = operation(scene, "Deploy wiki on paris", "running", changing, kind="deploy")
    deployment(scene, "analytics", "frankfurt", "running", design="wiki")
    gone = deployment(scene, "old", "paris", "destroyed", design="wiki")
    Deployment.objects.filter(pk=gone.pk).update(destroyed_at=ago(days=3))
    hostile = deployment(scene, "hostile", "paris", "running", design="hostile")
    Resource.objects.create(deployment=hostile, key=f"machine:{HOSTILE}", kind="machine", name=HOSTILE, state="running",
                            spec={"cpus": 1, "memory_mib": 512, "workloads": [{"service": HOSTILE, "replica": 1,
                                  "image": HOSTILE_ATTRIBUTE}]},
                            facts={"addresses": [HOSTILE]})  # fmt: skip
    scene.operations["hostile"] = operation(scene, f"Update {HOSTILE}", "failed", hostile, kind="update", hostile=True)


def deployment(scene: Scene, name: str, cloud: str, state: str, design: str = "shop") -> Deployment:
    scene.deployments[name] = Deployment.objects.create(
        project=scene.shop, name=name, cloud=scene.clouds[cloud], state=state, created_by=scene.people["bob"],
        version=scene.designs[design].versions.last(),
        images={"api": "registry.acme.example/api:4.2"} if design == "shop" else {},
    )  # fmt: skip
    return scene.deployments[name]


def _resources(target: Deployment, machines: int = 3) -> None:
    names = [("web-1", "10.96.0.11", ["web", "api"]), ("api-1", "10.96.0.12", ["api"]), ("db-1", "10.96.0.13", ["db"])]
    for number, (name, address, services) in enumerate(names[:machines]):
        workloads = [
            {"service": service, "replica": 1 + (service == "api" and number == 1), "image": f"{service}:1",
             "container": f"shop-{service}-1"} for service in services
        ]  # fmt: skip
        Resource.objects.create(
            deployment=target, key=f"machine:{name}", kind="machine", name=f"shop-{name}",
            state="running" if number < 2 else "stopped", external_id=str(uuid.uuid4()),
            spec={"kind": "machine", "cpus": 2, "memory_mib": 2048, "workloads": workloads, "disks": []},
            facts={"addresses": [address, "fe80::250:56ff:fe8a:1"] if number < 2 else []},
        )  # fmt: skip
    path = "[vsan-blue] escale/acme/shop/data.vmdk"
    Resource.objects.create(deployment=target, key="volume:data", kind="volume", name="data", state="present",
                            spec={"size_gib": 20}, facts={"path": path})  # fmt: skip
    Resource.objects.create(deployment=target, key="network:back", kind="network", name="shop-back", state="present",
                            spec={"subnet": "10.96.0.0/24", "vlan": 120})  # fmt: skip
    Resource.objects.create(deployment=target, key="folder:deployment", kind="folder", name="deployment",
                            state="present")  # fmt: skip


def operation(
    scene: Scene, title: str, state: str, about: Deployment, *, kind: str, hostile: bool = False
) -> Operation:
    """Make an operation with steps in the states that its own state implies."""
    actions = _create_actions()
    failing = "machine:api-1/machine.create"
    error = {
        "code": "cloud.no_space", "permanent": True, "detail": "vim.fault.NoDiskSpace: datastore nfs-archive",
        "message": "The datastore nfs-archive is full - cloning api-1 needs 20 GiB and 3 GiB are free - free some "
                   "room, or name another datastore in the cloud's defaults, then retry.",
    }  # fmt: skip
    if hostile:
        error |= {"message": f"{HOSTILE} - {HOSTILE_ATTRIBUTE} - {HOSTILE}", "detail": HOSTILE}
    running = state == "running"
    row = Operation.objects.create(
        organization=scene.organization, project=scene.shop, kind=kind, title=title, state=state,
        subject_type="deployment", subject_id=about.pk, cloud_id=about.cloud_id, steps_total=len(actions),
        created_by=scene.people["bob"], actor="bob", started_at=ago(minutes=4, seconds=12),
        finished_at=None if running else ago(minutes=1),
        error={**error, "step": failing, "title": "Clone api-1", "hint": ""} if state == "failed" else None,
    )  # fmt: skip
    done = 0
    for position, item in enumerate(actions):
        step_state, progress, step_error = _step_state(state, position, item["key"], failing)
        done += step_state == "succeeded"
        started = step_state not in ("pending", "ready", "blocked")
        ended = step_state in ("succeeded", "failed")
        Step.objects.create(
            operation=row, position=position, key=item["key"],
            title=HOSTILE if hostile and position == 3 else item["title"],
            group=item["resource"], verb=item["verb"], change="create", handler="cloud", payload={},
            depends_on=item["depends_on"], state=step_state, progress=progress, attempt=1 if started else 0,
            message="Copying disk 1 of 1" if step_state == "waiting" else "",
            error=error if step_error else None, started_at=ago(minutes=4) if started else None,
            finished_at=ago(minutes=3, seconds=40 - position * 4) if ended else None,
        )  # fmt: skip
    seq = 0
    for line in ("Asked for a clone of escale-debian-13", HOSTILE if hostile else "Task task-812 is queued", "Copying"):
        seq += 1
        Event.objects.create(operation=row, seq=seq, at=ago(minutes=3), type="step.log", data={"line": line},
                             step_key="machine:api-1/machine.create")  # fmt: skip
    Operation.objects.filter(pk=row.pk).update(steps_done=done, last_seq=seq)
    row.refresh_from_db()
    return row


def _step_state(state: str, position: int, key: str, failing: str) -> tuple[str, int | None, bool]:
    if state == "succeeded" or position < 4:
        return "succeeded", 100, False
    if state == "running":
        found = {"machine:web-1/machine.create": ("succeeded", 100), "machine:web-1/machine.start": ("running", None),
                 "machine:api-1/machine.create": ("waiting", 62),
                 "machine:db-1/machine.create": ("waiting", 18)}  # fmt: skip
        return (*found.get(key, ("pending", None)), False)
    if key == failing:
        return "failed", 40, True
    if key.startswith("machine:api-1"):
        return "blocked", None, False
    return "succeeded", 100, False
