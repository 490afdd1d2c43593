"""Files, configs, secrets, volumes and images: what reaches the machine, and what it says where it does not."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from engine.resources import to_json
from engine.userdata import secret_files
from tests.engine.drawings import draw, entry, errors, found, load, machines, part, settings

SECRET = "correct horse battery staple"


def shipped(desired: Any, label: str = "host-1") -> dict[str, bytes]:
    """Return path -> content of what is written to a machine below /opt/escale/files and configs."""
    return {
        item["path"]: base64.b64decode(item["content"])
        for item in machines(desired)[label].userdata["write_files"]
        if item["path"].startswith(("/opt/escale/files", "/opt/escale/configs"))
    }


def mount(desired: Any, service: str = "web", position: int = 0, label: str = "host-1") -> dict[str, Any]:
    return dict(part(desired, label)["services"][service]["volumes"][position])


# Images.


def test_a_service_that_only_says_how_to_build_needs_an_image() -> None:
    text = "services: {web: {build: .}}"
    (finding,) = found(draw(text), "realise.image_missing")
    assert (finding.severity, finding.path, finding.line) == ("error", ("services", "web", "build"), 1)
    assert "give the image for web in the plan" in finding.message
    assert entry(draw(text), "services", "web", "build").verdict == "dropped"
    desired = draw(text, images={"web": "registry.example/web:7"})
    assert not errors(desired)
    assert part(desired, "host-1")["services"]["web"]["image"] == "registry.example/web:7"
    assert "registry.example/web:7 is used instead" in entry(desired, "services", "web", "build").reason
    assert machines(desired)["host-1"].workloads[0].image == "registry.example/web:7"


def test_a_service_that_builds_a_named_image_has_it_pulled_with_a_warning() -> None:
    desired = draw("services: {web: {build: ., image: shop/web}}")
    assert found(desired, "realise.image_not_built")[0].severity == "warning"
    assert "build" not in part(desired, "host-1")["services"]["web"]


def test_an_image_for_a_service_that_is_not_drawn_is_a_warning() -> None:
    assert "wbe" in found(draw("services: {web: {image: a}}", images={"wbe": "b"}), "realise.image_unknown")[0].message


# Files.


def test_a_supplied_file_is_shipped_and_mounted() -> None:
    text = "services: {web: {image: a, volumes: ['./conf/nginx.conf:/etc/nginx/nginx.conf:ro']}}"
    desired = draw(text, files={"conf/nginx.conf": "events {}"})
    assert shipped(desired) == {"/opt/escale/files/conf/nginx.conf": b"events {}"}
    made = mount(desired)
    assert made["source"] == "/opt/escale/files/conf/nginx.conf"
    assert made["read_only"] is True
    assert made["bind"]["create_host_path"] is False
    assert entry(desired, "services", "web", "volumes", 0).verdict == "approximated"


@pytest.mark.parametrize("source", ["./site", "site", "./site/", "./x/../site"])
def test_the_supplied_files_of_a_folder_are_shipped(source: str) -> None:
    files = {"site/index.html": "<p>", "site/css/a.css": "p{}", "sitemap.txt": "no", "other/x": "no"}
    if not source.startswith("."):
        source = f"./{source}"
    desired = draw(f"services: {{web: {{image: a, volumes: ['{source}:/srv']}}}}", files=files)
    assert set(shipped(desired)) == {"/opt/escale/files/site/index.html", "/opt/escale/files/site/css/a.css"}
    assert mount(desired)["source"] == "/opt/escale/files/site"


def test_the_folder_of_the_drawing_itself_can_be_mounted() -> None:
    desired = draw("services: {web: {image: a, volumes: ['.:/code']}}", files={"app.py": "1", "lib/x.py": "2"})
    assert set(shipped(desired)) == {"/opt/escale/files/app.py", "/opt/escale/files/lib/x.py"}
    assert mount(desired)["source"] == "/opt/escale/files"


def test_a_path_above_the_drawing_cannot_leave_its_place_on_the_machine() -> None:
    desired = draw("services: {web: {image: a, volumes: ['../up/x.txt:/x']}}", files={"../up/x.txt": "1"})
    assert set(shipped(desired)) <= {"/opt/escale/files/__up/up/x.txt"}
    assert all("/../" not in path for path in shipped(desired))


def test_scripts_may_be_executed() -> None:
    files = {"run.sh": "#!/bin/sh\n", "data.txt": "x"}
    desired = draw("services: {web: {image: a, volumes: ['.:/code']}}", files=files)
    modes = {item["path"]: item["permissions"] for item in machines(desired)["host-1"].userdata["write_files"]}
    assert modes["/opt/escale/files/run.sh"] == "0755"
    assert modes["/opt/escale/files/data.txt"] == "0644"


def test_what_was_not_supplied_is_left_out_and_told() -> None:
    desired = draw("services: {web: {image: a, volumes: ['./conf:/etc/conf', './x:/x']}}")
    assert "volumes" not in part(desired, "host-1")["services"]["web"]
    told = entry(desired, "services", "web", "volumes", 0)
    assert (told.verdict, told.code) == ("dropped", "ledger.volumes.missing")
    assert "supply the file" in told.reason
    (finding,) = found(desired, "realise.file_missing")
    assert "./conf, ./x" in finding.message


@pytest.mark.parametrize(
    ("source", "where"),
    [
        ("/var/run/docker.sock", "/var/run/docker.sock"),
        ("/etc/pihole/", "/etc/pihole/"),
        ("~/data", "/root/data"),
    ],
)
def test_absolute_paths_are_the_machines_own(source: str, where: str) -> None:
    desired = draw(f"services: {{web: {{image: a, volumes: ['{source}:/x']}}}}")
    assert mount(desired)["source"] == where
    assert entry(desired, "services", "web", "volumes", 0).verdict == "approximated"


def test_dollar_signs_survive_the_way_to_the_machine() -> None:
    text = (
        "services: {web: {image: a, command: ['echo', '$$HOME'], environment: {PRICE: '5$$'}, volumes: ['./a$$b:/x']}}"
    )
    desired = draw(text, files={"a$b": "1"})
    service = part(desired, "host-1")["services"]["web"]
    # Compose on the machine interpolates once more, so the file doubles what is meant to be one.
    assert service["command"] == ["echo", "$$HOME"]
    assert service["environment"] == {"PRICE": "5$$"}
    assert service["volumes"][0]["source"] == "/opt/escale/files/a$$b"
    assert set(shipped(desired)) == {"/opt/escale/files/a$b"}


def test_more_files_than_a_cloud_passes_on_are_an_error() -> None:
    import hashlib

    noise = "".join(hashlib.sha256(str(n).encode()).hexdigest() for n in range(2000))
    desired = draw("services: {web: {image: a, volumes: ['./big:/x']}}", files={"big": noise})
    (finding,) = found(desired, "realise.userdata_too_large")
    assert "/opt/escale/files/big" in finding.message
    assert not errors(draw("services: {web: {image: a, volumes: ['./big:/x']}}", files={"big": "x" * 200_000}))


# Configs.


def test_configs_are_written_and_mounted_with_their_mode() -> None:
    text = """
    services:
      web:
        image: a
        configs: [inline, {source: filed, target: /etc/filed, mode: 0440, uid: "101", gid: "102"}, variable]
    configs:
      inline: {content: "hello $$you\\n"}
      filed: {file: ./filed.conf}
      variable: {environment: GREETING}
    """
    desired = draw(text, files={"filed.conf": "filed"}, GREETING="bonjour")
    assert shipped(desired) == {
        "/opt/escale/configs/all/inline": b"hello $you\n",
        "/opt/escale/configs/of/web/filed": b"filed",
        "/opt/escale/configs/all/variable": b"bonjour",
    }
    document = part(desired, "host-1")
    assert document["services"]["web"]["configs"] == [
        {"source": "inline"},
        {"source": "web.filed", "target": "/etc/filed"},
        {"source": "variable"},
    ]
    assert document["configs"]["web.filed"] == {"file": "/opt/escale/configs/of/web/filed"}
    owners = {item["path"]: item for item in settings(desired, "host-1")["owners"]}
    assert owners["/opt/escale/configs/of/web/filed"] == {
        "path": "/opt/escale/configs/of/web/filed", "uid": 101, "gid": 102, "mode": "0440"
    }  # fmt: skip


def test_a_config_that_was_not_supplied_is_left_out() -> None:
    desired = draw("services: {web: {image: a, configs: [c]}}\nconfigs: {c: {file: c.conf}}")
    assert "configs" not in part(desired, "host-1")["services"]["web"]
    assert found(desired, "realise.config_missing")[0].severity == "warning"
    assert entry(desired, "services", "web", "configs", 0).verdict == "dropped"


# Secrets.

GUARDED = """
services:
  db:
    image: postgres
    secrets: [password, {source: token, target: /run/token, uid: "70", gid: "70", mode: 0400}]
    x-escale: {isolation: machine}
  web: {image: nginx}
secrets:
  password: {file: ./db/password.txt}
  token: {environment: TOKEN}
"""


def test_secrets_are_fetched_and_never_travel() -> None:
    desired = draw(GUARDED, files={"db/password.txt": SECRET}, TOKEN=f"{SECRET}!")
    everything = json.dumps([to_json(resource) for resource in desired.resources.values()])
    for canary in (SECRET, base64.b64encode(SECRET.encode()).decode().rstrip("=")):
        assert canary not in everything
        assert canary not in repr(desired.ledger) + repr(desired.findings)
    assert machines(desired)["db-1"].fetches_secrets
    assert not machines(desired)["host-1"].fetches_secrets
    document = part(desired, "db-1")
    assert document["secrets"]["password"] == {"file": "/var/lib/escale/secrets/all/password"}
    assert document["services"]["db"]["secrets"] == [
        {"source": "password", "target": "/run/secrets/password"},
        {"source": "db.token", "target": "/run/token"},
    ]
    assert settings(desired, "db-1")["secrets"] == [
        {"path": "/var/lib/escale/secrets/all/password", "uid": 0, "gid": 0, "mode": "0444", "empty": False},
        {"path": "/var/lib/escale/secrets/of/db/token", "uid": 70, "gid": 70, "mode": "0400", "empty": False},
    ]


def test_a_machine_may_fetch_what_its_services_use_and_nothing_else() -> None:
    project = load(GUARDED, {"db/password.txt": SECRET}, TOKEN="t")
    found_ = machines(draw(project))
    assert secret_files(project, found_["db-1"]) == {
        "/var/lib/escale/secrets/all/password": SECRET.encode(),
        "/var/lib/escale/secrets/of/db/token": b"t",
    }
    assert secret_files(project, found_["host-1"]) == {}
    assert secret_files(project, found_["db-1"], {"TOKEN": "other"})["/var/lib/escale/secrets/of/db/token"] == b"other"


def test_new_contents_of_a_secret_are_noticed_by_their_mark_alone() -> None:
    project = load(GUARDED, {"db/password.txt": SECRET}, TOKEN="t")
    plain = draw(project)
    one, other = (draw(project, policy={"secret_marks": {"password": mark}}) for mark in ("a1", "b2"))
    assert settings(one, "db-1")["secrets"][0]["mark"] == "a1"
    assert "mark" not in settings(one, "db-1")["secrets"][1]
    assert len({json.dumps(machines(desired)["db-1"].userdata) for desired in (plain, one, other)}) == 3


def test_a_secret_that_was_not_supplied_is_an_empty_file_and_a_warning() -> None:
    desired = draw(GUARDED)
    assert not errors(desired)
    assert [finding.severity for finding in found(desired, "realise.secret_missing")] == ["warning", "warning"]
    assert all(secret["empty"] for secret in settings(desired, "db-1")["secrets"])
    assert not machines(desired)["db-1"].fetches_secrets
    told = entry(desired, "services", "db", "secrets", 0)
    assert (told.verdict, "is empty" in told.reason) == ("dropped", True)


def test_an_external_secret_is_an_empty_file_and_a_warning() -> None:
    desired = draw("services: {db: {image: a, secrets: [s]}}\nsecrets: {s: {external: true}}")
    assert "no external store" in found(desired, "realise.secret_missing")[0].message


@pytest.mark.parametrize("source", ["./db/password.txt", "./db", "."])
def test_a_secrets_file_does_not_travel_in_a_mount_either(source: str) -> None:
    text = f"""
    services:
      db: {{image: a, secrets: [password], volumes: ['{source}:/x']}}
    secrets: {{password: {{file: db/password.txt}}}}
    """
    files = {"db/password.txt": SECRET, "db/init.sql": "select 1"}
    desired = draw(text, files=files)
    assert SECRET.encode() not in b"".join(shipped(desired).values())
    if source.endswith("password.txt"):
        assert mount(desired, "db")["source"] == "/var/lib/escale/secrets/all/password"
        assert set(secret_files(load(text, files), machines(desired)["host-1"])) == {
            "/var/lib/escale/secrets/all/password"
        }
    else:
        assert set(shipped(desired)) == {"/opt/escale/files/db/init.sql"}
        assert "left out as the files of secrets" in entry(desired, "services", "db", "volumes", 0).reason


def test_a_config_that_is_a_secrets_file_is_fetched_like_it() -> None:
    text = """
    services: {db: {image: a, secrets: [s], configs: [c]}}
    secrets: {s: {file: s.txt}}
    configs: {c: {file: ./s.txt}}
    """
    desired = draw(text, files={"s.txt": SECRET})
    assert not shipped(desired)
    assert part(desired, "host-1")["configs"]["c"] == {"file": "/var/lib/escale/secrets/all/s"}


def test_keys_that_look_like_paths_stay_in_their_folder() -> None:
    text = (
        "services: {db: {image: a, secrets: [..], configs: [.]}}\nsecrets: {..: {file: a}}\nconfigs: {.: {content: x}}"
    )
    desired = draw(text, files={"a": "1"})
    for path in [secret["path"] for secret in settings(desired, "host-1")["secrets"]] + list(shipped(desired)):
        assert "/../" not in f"{path}/"
        assert "/./" not in f"{path}/"


# Volumes.


def test_a_named_volume_is_a_disk_that_the_engine_sees_as_a_volume() -> None:
    text = "services: {db: {image: a, volumes: ['data:/var/lib/db']}}\nvolumes: {data: {x-escale: {size: 20GiB}}}"
    desired = draw(text)
    volume = desired.resources["volume:data"]
    assert (volume.name, volume.size_gib) == ("shop-data", 20)  # type: ignore[union-attr]
    (disk,) = machines(desired)["host-1"].disks
    assert (disk.volume, disk.path, disk.unit) == ("volume:data", "/var/lib/escale/volumes/data", 1)
    assert part(desired, "host-1")["volumes"]["data"] == {
        "name": "shop_data",
        "driver": "local",
        "driver_opts": {"type": "none", "o": "bind", "device": "/var/lib/escale/volumes/data/_data"},
    }
    (told,) = settings(desired, "host-1")["disks"]
    assert (told["unit"], told["filesystem"]) == (1, "ext4")
    assert entry(desired, "volumes", "data").verdict == "honoured"


@pytest.mark.parametrize(
    ("definition", "size"),
    [
        ("{}", 10),
        ("{x-escale: {size: 1500MiB}}", 2),
        ("{driver_opts: {size: 3g}}", 3),
        ("{driver: vsphere, driver_opts: {size: 4gb}}", 4),
    ],
)
def test_a_volume_has_the_size_that_is_drawn_or_the_default(definition: str, size: int) -> None:
    desired = draw(f"services: {{db: {{image: a, volumes: ['data:/x']}}}}\nvolumes: {{data: {definition}}}")
    assert desired.resources["volume:data"].size_gib == size  # type: ignore[union-attr]


def test_a_size_that_cannot_be_read_is_an_error() -> None:
    text = "services: {db: {image: a, volumes: ['data:/x']}}\nvolumes: {data: {driver_opts: {size: plenty}}}"
    assert errors(draw(text)) == ["realise.volume_size"]


def test_volumes_of_the_engine_stay_with_it() -> None:
    text = """
    services: {web: {image: a, volumes: ['nfs:/x'], x-escale: {isolation: machine}}, b: {image: b, volumes: ['nfs:/x']}}
    volumes: {nfs: {driver_opts: {type: nfs, o: "addr=10.0.0.1,rw", device: ":/export"}}}
    """
    desired = draw(text)
    assert "volume:nfs" not in desired.resources
    assert len(machines(desired)) == 2  # no disk ties them to one machine
    assert part(desired, "host-1")["volumes"]["nfs"]["driver_opts"]["type"] == "nfs"


def test_an_external_volume_starts_empty_with_a_warning() -> None:
    text = "services: {db: {image: a, volumes: ['data:/x']}}\nvolumes: {data: {external: true}}"
    desired = draw(text)
    assert found(desired, "realise.volume_external")[0].severity == "warning"
    assert "external" not in part(desired, "host-1")["volumes"]["data"]


def test_an_anonymous_volume_lies_on_the_system_disk() -> None:
    desired = draw("services: {web: {image: a, volumes: ['/cache']}}")
    assert [key for key in desired.resources if key.startswith("volume:")] == []
    assert "name it to keep it" in entry(desired, "services", "web", "volumes", 0).reason


def test_disks_keep_their_units_when_others_come_and_go() -> None:
    text = "services: {db: {image: a, volumes: [%s]}}\nvolumes: {%s}"

    def drawn(names: str, prior: Any = None) -> dict[str, int | None]:
        mounts = ", ".join(f"'{name * 2}:/{name}'" for name in names)
        desired = draw(text % (mounts, ", ".join(f"{name * 2}: {{}}" for name in names)), prior=prior)
        self_ = {key: to_json(resource) for key, resource in desired.resources.items()}
        drawn.last = self_  # type: ignore[attr-defined]
        return {disk.volume[-1]: disk.unit for disk in machines(desired)["host-1"].disks}

    assert drawn("bcdefghi") == {"b": 1, "c": 2, "d": 3, "e": 4, "f": 5, "g": 6, "h": 8, "i": 9}
    assert drawn("acdi", drawn.last) == {"a": 10, "c": 2, "d": 3, "i": 9}  # type: ignore[attr-defined]
    assert drawn("abcdi", drawn.last) == {"a": 10, "b": 1, "c": 2, "d": 3, "i": 9}  # type: ignore[attr-defined]


def test_more_disks_than_a_controller_holds_are_an_error() -> None:
    names = [f"vol{n}" for n in range(15)]
    mounts = ", ".join(f"'{name}:/{name}'" for name in names)
    text = f"services: {{db: {{image: a, volumes: [{mounts}]}}}}\nvolumes: {{{', '.join(f'{n}: {{}}' for n in names)}}}"
    assert errors(draw(text)) == ["realise.too_many_volumes"]
    services = ", ".join(f"s{n}: {{image: a, cpus: 0.1, mem_limit: 64m, volumes: ['vol{n}:/x']}}" for n in range(15))
    desired = draw(f"services: {{{services}}}\nvolumes: {{{', '.join(f'{n}: {{}}' for n in names)}}}")
    assert not errors(desired)
    assert max(len(machine.disks) for machine in machines(desired).values()) == 14
