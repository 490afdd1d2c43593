"""Plan one drawing over several clouds: each cloud's part by itself, and what ties the parts together.

The parts are planned as any drawing is. What a service needs of one on another cloud is the address of a machine, which
nobody knows before that machine runs: user-data holds a mark in its place (`engine.userdata.addresses`), and the action
that writes the user-data waits for the machine whose address it is.
"""

from engine.across.model import Across, Crossing, Side, joined, reachable
from engine.across.planning import plan, plan_destroy

__all__ = ["Across", "Crossing", "Side", "joined", "plan", "plan_destroy", "reachable"]
