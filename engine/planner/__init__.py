"""Compare what is drawn, what was applied last and what exists, and plan the way from here to there.

Three sides, since two are not enough: what differs between the drawing and the cloud is only changed where the drawing
changed; what somebody changed on the cloud is kept and told. A plan is plain data with the reason for every action.
"""

from __future__ import annotations

from engine.planner.apply import plan
from engine.planner.destroy import plan_destroy
from engine.planner.sides import fingerprint
from engine.planner.text import plan_text

__all__ = ["fingerprint", "plan", "plan_destroy", "plan_text"]
