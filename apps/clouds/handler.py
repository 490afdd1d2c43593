"""Run the steps of operations on clouds: the journal's handler "cloud".

A step's payload is `engine.plan.Action.to_json()`. Just before a call, the facts that earlier steps found are put in,
and the apps above may still change the action (`register_preparer`): mint what must not be in a stored plan.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeVar

from apps.clouds.connections import PooledConnector, connect_by_id
from apps.operations.registry import StepContext
from apps.tenancy.faults import Fault
from connectors.base import ConnectorError, Outcome
from engine.plan import Action

T = TypeVar("T")
Preparer = Callable[[StepContext, Action], Action]

_preparers: list[tuple[str, Preparer]] = []


def register_preparer(verb: str, prepare: Preparer) -> None:
    """Let `prepare(step, action)` return the action to start instead, right before the call; "*" is every verb.

    Preparers run in the order of registration, for each attempt anew, and not for `undo`. What they put in reaches
    only the connector: it is neither stored nor logged.
    """
    if (verb, prepare) not in _preparers:
        _preparers.append((verb, prepare))


class CloudHandler:
    """Translate between the journal and the connectors; keeps no state between calls."""

    def start(self, step: StepContext) -> Outcome:
        """Start the step's action, or find what an earlier attempt started by the same key."""
        with _FaultsAsErrors():
            action = _action(step)
            for verb, prepare in _preparers:
                if verb in ("*", action.verb):
                    action = prepare(step, action)
            return self._asked(step, lambda connector: connector.start(action, step.key), mine=True)
        raise AssertionError("unreachable")

    def poll(self, steps: Sequence[StepContext]) -> dict[int, Outcome]:
        """Ask for all handles of a cloud in one call; a handle that the cloud does not answer for is still running."""
        outcomes: dict[int, Outcome] = {}
        for group in _by_cloud(steps):
            with _FaultsAsErrors():
                handles = [step.handle for step in group]
                found = self._asked(group[0], lambda connector, handles=handles: connector.poll(handles))
                outcomes |= {step.step_id: found[step.handle] for step in group if step.handle in found}
        return outcomes

    def cancel(self, step: StepContext) -> None:
        """Ask the cloud to stop the task; whether it did is learnt by polling."""
        with _FaultsAsErrors():
            self._asked(step, lambda connector: connector.cancel(step.handle))

    def undo(self, step: StepContext) -> Outcome:
        """Take back what another step did, wherever it had come to."""
        with _FaultsAsErrors():
            undone = step.undoes
            if undone is None:
                raise ConnectorError("internal", "The step takes nothing back.", permanent=True)
            action = _action(step)
            return self._asked(step, lambda connector: connector.undo(action, undone.result, undone.key), mine=True)
        raise AssertionError("unreachable")

    def _asked(self, step: StepContext, ask: Callable[[PooledConnector], T], *, mine: bool = False) -> T:
        """Ask the cloud; when it refuses the credential, and there is a newer one by now, ask once more with that.

        ``mine``: look right before each call whether the step is still this worker's.
        """
        connector = self._connector(step)
        if mine:
            step.require_mine()
        try:
            return ask(connector)
        except ConnectorError as error:
            newest = self._connector(step) if error.code == "cloud.not_authenticated" else connector
            if newest.version == connector.version:
                raise
        if mine:
            step.require_mine()
        return ask(newest)

    @staticmethod
    def _connector(step: StepContext) -> PooledConnector:
        if step.cloud_id is None:
            raise ConnectorError("internal", "The step names no cloud.", permanent=True)
        return connect_by_id(step.cloud_id)


CLOUD = CloudHandler()
"""The one that is registered."""


def _action(step: StepContext) -> Action:
    """Return the step's action with what earlier steps of its own part of the operation have found.

    Where an operation works on several clouds, each one's groups start with the name of its part.
    """
    action = Action.from_json(step.payload)
    start = step.group.removesuffix(action.resource) if step.group.endswith(action.resource) else ""
    own = {group.removeprefix(start): found for group, found in step.results.items() if group.startswith(start)}
    return action.with_inputs(own if start else step.results)


def _by_cloud(steps: Sequence[StepContext]) -> Iterable[list[StepContext]]:
    groups: dict[Any, list[StepContext]] = {}
    for step in steps:
        groups.setdefault(step.cloud_id, []).append(step)
    return groups.values()


class _FaultsAsErrors:
    """Bring our own catalogue's faults to the journal's error type; defects pass, and the journal parks the step."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        if isinstance(error, Fault):
            raise ConnectorError(error.code, error.message, permanent=error.status < 500) from None
