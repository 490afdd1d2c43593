"""A short text must not keep a web process busy for everybody."""

from __future__ import annotations

from engine import compose
from engine.observed import Inventory, Target
from engine.realise import MAX_CONTAINERS, realise
from engine.resources import Owner

OWNER = Owner("o", "org", "p", "proj", "d", "dep")


def test_more_containers_than_can_be_planned_are_an_error_finding() -> None:
    text = f"services: {{web: {{image: nginx, deploy: {{replicas: {MAX_CONTAINERS}}}}}, one: {{image: nginx}}}}"
    desired = realise(compose.load(text, name="x"), Target("paris", "vsphere", inventory=Inventory()), OWNER, {}, {})
    assert [finding.code for finding in desired.findings] == ["realise.too_many_containers"]
    assert not desired.resources


def test_scale_counts_like_replicas() -> None:
    text = f"services: {{web: {{image: nginx, scale: {MAX_CONTAINERS + 1}}}}}"
    desired = realise(compose.load(text, name="x"), Target("paris", "vsphere", inventory=Inventory()), OWNER, {}, {})
    assert [finding.code for finding in desired.findings] == ["realise.too_many_containers"]
