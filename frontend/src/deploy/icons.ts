import type { LiveState } from "../store/paint";

/** The shape that says a state, beside its colour and its word. */
export const STATE_ICONS: Record<LiveState, string> = {
  pending: "clock", working: "progress", running: "circle-check", stopped: "player-stop", failed: "alert-octagon",
  missing: "circle-dashed", drifted: "git-compare", unknown: "circle-dot",
};
