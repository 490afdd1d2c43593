"""What connectors offer that can put running machines under the portal, beside the contract's verbs.

``machine.adopt`` writes markers on a machine that somebody else made, and ``machine.release`` takes them off again;
what they write is all that they change. ``describe`` is how the portal looks at such a machine before, and finds it
again afterwards: it stands outside of the deployment's folder, so that ``observe`` does not come by it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from engine.found import FoundMachine


class Adoption(Protocol):
    """Look at machines by their identity, whosever they are."""

    def describe(self, ids: Sequence[str]) -> tuple[FoundMachine, ...]:
        """Return the machines with these identities as they are now; those that do not exist are left out.

        Of several with one identity (copies made by hand) all are returned. ConnectorError as everywhere.
        """
        ...
