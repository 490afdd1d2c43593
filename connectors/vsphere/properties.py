"""Read properties of many objects in one call: explicit paths, pages, no lazy attributes anywhere."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any

from pyVmomi import vmodl

from connectors.base import ConnectorError
from connectors.vsphere.session import Session, SessionLostError
from connectors.vsphere.soap import Node, Ref, VimFault, managed, managed_type, value, vim

Paths = Mapping[str, Sequence[str]]
"""Wire name of a type -> property paths that are wanted of its objects."""

Facts = dict[str, Any]
"""Property path -> value (see ``soap.value``); unset properties are absent."""

_PAGE = 1000
_collector: Any = vmodl.query.PropertyCollector


def of_objects(session: Session, refs: Iterable[Ref], paths: Paths) -> dict[Ref, Facts]:
    """Return the properties of objects that are known; those that are gone are left out."""
    wanted = list(dict.fromkeys(refs))
    if not wanted:
        return {}
    objects = [_collector.ObjectSpec(obj=managed(ref), skip=False) for ref in wanted]
    return _retrieve(session, objects, paths)


def of_object(session: Session, ref: Ref, paths: Sequence[str]) -> Facts | None:
    """Return the properties of one object, None when it is gone."""
    return of_objects(session, [ref], {ref.type: paths}).get(ref)


def beneath(session: Session, ref: Ref, through: str, paths: Paths, *, own: Sequence[str] = ()) -> dict[Ref, Facts]:
    """Return the properties of the objects that a property of ``ref`` lists (``childEntity``, ``recentTask``).

    With ``own``, the properties of ``ref`` itself are among the results.
    """
    step = _collector.TraversalSpec(name="beneath", type=_declaring(ref, through), path=through, skip=False)
    spec = _collector.ObjectSpec(obj=managed(ref), skip=not own, selectSet=[step])
    wanted = {**paths, **({ref.type: [*paths.get(ref.type, ()), *own]} if own else {})}
    return _retrieve(session, [spec], wanted)


def across(session: Session, refs: Iterable[Ref], through: str, paths: Paths) -> dict[Ref, Facts]:
    """Return the properties of the objects that a property of any of ``refs`` lists (``vm`` of datastores)."""
    wanted = list(dict.fromkeys(refs))
    if not wanted:
        return {}
    objects = [
        _collector.ObjectSpec(
            obj=managed(ref),
            skip=True,
            selectSet=[_collector.TraversalSpec(type=managed_type(ref.type), path=through, skip=False)],
        )
        for ref in wanted
    ]
    return _retrieve(session, objects, paths)


def within(session: Session, container: Ref, paths: Paths) -> dict[Ref, Facts]:
    """Return the properties of all objects of some types anywhere below a folder, datacenter or cluster."""
    with _view(session, container, list(paths)) as view:
        step = _collector.TraversalSpec(name="view", type=vim.view.ContainerView, path="view", skip=False)
        spec = _collector.ObjectSpec(obj=managed(view), skip=True, selectSet=[step])
        return _retrieve(session, [spec], paths)


@contextmanager
def _view(session: Session, container: Ref, kinds: list[str]) -> Iterator[Ref]:
    manager = session.manager("viewManager")
    # A view changes nothing in the inventory, so making it again after a lost answer harms nobody.
    nodes = session.read(
        manager,
        "CreateContainerView",
        container=container,
        type=[managed_type(kind) for kind in kinds],
        recursive=True,
    )
    view = nodes[0].ref()
    assert view is not None
    try:
        yield view
    finally:
        with suppress(VimFault, ConnectorError, SessionLostError):  # it ends with the session anyway
            session.act(view, "DestroyView")


def _retrieve(session: Session, objects: list[Any], paths: Paths) -> dict[Ref, Facts]:
    spec = _collector.FilterSpec(
        objectSet=objects,
        propSet=[
            _collector.PropertySpec(type=managed_type(kind), all=False, pathSet=list(dict.fromkeys(names)))
            for kind, names in paths.items()
        ],
        # Objects that vanish meanwhile are left out instead of failing the whole call.
        reportMissingObjectsInResults=True,
    )
    manager = session.manager("propertyCollector")
    found: dict[Ref, Facts] = {}
    nodes = session.read(
        manager, "RetrievePropertiesEx", specSet=[spec], options=_collector.RetrieveOptions(maxObjects=_PAGE)
    )
    while nodes:
        page = nodes[0]
        for item in page.all("objects"):
            ref = item.ref("obj")
            assert ref is not None
            found.setdefault(ref, {}).update(_facts(item))
        token = page.get("token")
        if not token:
            break
        nodes = session.read(manager, "ContinueRetrievePropertiesEx", token=token)
    return found


def _facts(item: Node) -> Facts:
    facts: Facts = {}
    for entry in item.all("propSet"):
        node = entry.node("val")
        if node is not None:  # simulators leave it out on later pages when it is empty
            facts[entry.get("name")] = value(node)
    return facts


def _declaring(ref: Ref, through: str) -> Any:
    """Return the type that a traversal starts from."""
    if through == "recentTask":
        return vim.ManagedEntity
    return managed_type(ref.type)
