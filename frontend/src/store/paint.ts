import { create } from "zustand";

import type { Drawing, NodeId, Problem } from "../document/types";

export type PlannedChange = "create" | "update" | "replace" | "delete" | "keep";
export type DiffChange = "added" | "removed" | "changed";
export type LiveState = "pending" | "working" | "running" | "stopped" | "failed" | "missing" | "drifted" | "unknown";

export interface LivePaint {
  state: LiveState;
  message: string; // what is being done, or the error
  percent: number | null;
}

/**
 * What is painted over the drawing, keyed by node; cards subscribe to their own entry, so that a tick of one card's
 * state never renders another one, let alone the canvas.
 */
interface PaintState {
  mode: "none" | "plan" | "live" | "diff";
  plan: Record<NodeId, { change: PlannedChange; causes: string[]; dataLoss: boolean }>;
  diff: Record<NodeId, DiffChange>;
  diffEdges: Record<string, "added" | "removed">;
  /** In the mode `diff` the canvas shows this: the newer drawing, and with it what the older one had besides. */
  compared: Drawing | null;
  live: Record<NodeId, LivePaint>;
  /** Problems by node; those of no node are in `loose`. */
  problems: Record<NodeId, Problem[]>;
  loose: Problem[];
  /** Services that the last preview packed into machines nobody has drawn: service -> machine names. */
  packed: Record<NodeId, string[]>;
  set: (state: Partial<PaintState>) => void;
}

export const usePaint = create<PaintState>()((set) => ({
  mode: "none",
  plan: {},
  diff: {},
  diffEdges: {},
  compared: null,
  live: {},
  problems: {},
  loose: [],
  packed: {},
  set: (state) => set(state),
}));
