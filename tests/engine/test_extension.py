from __future__ import annotations

import pytest

from engine.realise.extension import gibibytes, mebibytes
from tests.engine.drawings import draw, errors, found


@pytest.mark.parametrize(
    ("text", "path", "said"),
    [
        ("x-escale: {isolaton: machine}", ("x-escale",), "unknown key 'isolaton'; did you mean 'isolation'?"),
        ("x-escale: {isolation: alone}", ("x-escale", "isolation"), '"alone" is not one of "shared" or "machine"'),
        ("x-escale: {machine: {max_cpus: 0}}", ("x-escale", "machine", "max_cpus"), "0 is less than the minimum of 1"),
        (
            "x-escale: {machine: {cpu: 1}}",
            ("x-escale", "machine"),
            "known are max_cpus, max_memory, min_cpus, min_memory",
        ),
        ("x-escale: []", ("x-escale",), "is not of type"),
    ],
)
def test_a_wrong_key_or_value_is_an_error_with_its_place(text: str, path: tuple[str, ...], said: str) -> None:
    (finding,) = found(draw(f"services: {{a: {{image: a}}}}\n{text}\n"), "realise.extension")
    assert (finding.severity, finding.path, finding.line) == ("error", path, 2)
    assert said in finding.message
    assert finding.message.startswith(".".join(path))


def test_mistakes_in_services_volumes_and_networks_are_found_too() -> None:
    text = """
    services:
      a:
        image: a
        volumes: ["data:/x"]
        networks: [net]
        x-escale: {anti_affinity: {services: [a], mod: hard}}
      b: {image: b, x-escale: {anti_affinity: [{services: []}]}}
    volumes: {data: {x-escale: {size: -1}}}
    networks: {net: {x-escale: {vlan: 5000}}}
    """
    messages = [finding.message for finding in found(draw(text), "realise.extension")]
    assert len(messages) == 4
    assert "did you mean 'mode'?" in messages[0]
    assert [message.split(":")[0] for message in messages] == [
        "services.a.x-escale.anti_affinity",
        "services.b.x-escale.anti_affinity.0.services",
        "volumes.data.x-escale.size",
        "networks.net.x-escale.vlan",
    ]


def test_a_relation_to_a_service_that_is_not_there_is_a_warning() -> None:
    text = "services: {a: {image: a, x-escale: {anti_affinity: {services: [b]}, uses: [c]}}}"
    findings = found(draw(text), "realise.extension_service")
    assert [finding.severity for finding in findings] == ["warning", "warning"]
    assert not errors(draw(text))


def test_other_extensions_are_left_alone() -> None:
    assert not errors(draw("services: {a: {image: a, x-other: [1]}}\nx-anything: {b: c}"))


def test_canvas_positions_are_welcome_everywhere() -> None:
    text = "services: {a: {image: a, x-escale: {canvas: {x: 1, y: 2}}}}\nx-escale: {canvas: {zoom: 1}}"
    assert not errors(draw(text))


@pytest.mark.parametrize(
    ("text", "mib"),
    [
        ("512m", 512),
        ("1g", 1024),
        ("1GiB", 1024),
        ("1.5 GB", 1536),
        ("100", 1),
        (52428800, 50),
        ("1025k", 2),
        ("2T", 2097152),
    ],
)
def test_sizes_count_in_1024_and_round_up(text: str | int, mib: int) -> None:
    assert mebibytes(text) == mib
    assert gibibytes(text) == -(-mib // 1024)
