import type { ELK, ElkNode } from "elkjs/lib/elk-api.js";
// The worker of the engine is a file of its own: it is fetched only when somebody opens a drawing that needs it.
import workerUrl from "elkjs/lib/elk-worker.min.js?url";

import type { Drawing } from "../document/types";
import { GAP, LAYER_GAP, type Geometry, type Memory } from "./geometry";
import type { Level } from "./layered";
import { layoutWell, type Places } from "./layout";

const DEADLINE_MS = 60_000;
const WRAP_FROM = 18;

let engine: { elk: ELK; worker: Worker } | null = null;
let running: AbortController | null = null;

/** What the engine is asked for one level; long chains are wrapped, so that they stay about as wide as a screen. */
export function elkGraph(level: Level): ElkNode {
  const wrap = level.blocks.length >= WRAP_FROM;
  return {
    id: "level",
    layoutOptions: {
      "elk.algorithm": "layered",
      "elk.direction": "RIGHT",
      "elk.aspectRatio": "1.6",
      "elk.spacing.nodeNode": String(GAP),
      "elk.spacing.componentComponent": String(2 * GAP),
      "elk.layered.spacing.nodeNodeBetweenLayers": String(LAYER_GAP),
      "elk.layered.spacing.edgeNodeBetweenLayers": "12",
      "elk.layered.nodePlacement.strategy": "NETWORK_SIMPLEX",
      "elk.layered.considerModelOrder.strategy": "PREFER_NODES",
      "elk.separateConnectedComponents": "true",
      ...(wrap ? { "elk.layered.wrapping.strategy": "MULTI_EDGE" } : {}),
    },
    children: level.blocks.map((block, index) => ({ id: String(index), width: block.w, height: block.h })),
    edges: level.links.map(([from, to], index) => ({
      id: `e${index}`, sources: [String(from)], targets: [String(to)],
    })),
  };
}

export function placesOf(solved: ElkNode, count: number): Places {
  const places = Array.from({ length: count }, () => ({ x: 0, y: 0 }));
  let left = Infinity;
  let top = Infinity;
  for (const child of solved.children ?? []) {
    left = Math.min(left, child.x ?? 0);
    top = Math.min(top, child.y ?? 0);
  }
  for (const child of solved.children ?? [])
    places[Number(child.id)] = { x: (child.x ?? 0) - left, y: (child.y ?? 0) - top };
  return places;
}

/**
 * Lay out with ELK in its own worker. Starting again, `cancelLayout` or a minute without an answer stops the work (the
 * worker is ended, for it cannot be interrupted) and rejects with an `AbortError` or a `TimeoutError`.
 */
export async function layoutByElk(drawing: Drawing, memory: Memory): Promise<Geometry> {
  cancelLayout();
  const control = new AbortController();
  running = control;
  const deadline = setTimeout(() => stop(control, new DOMException("The layout took too long", "TimeoutError")), DEADLINE_MS);
  try {
    const elk = await start();
    control.signal.throwIfAborted();
    const solve = async (level: Level): Promise<Places> => {
      const stopped = new Promise<never>((_, reject) => {
        control.signal.addEventListener("abort", () => reject(control.signal.reason as Error), { once: true });
      });
      const solved = await Promise.race([elk.layout(elkGraph(level)), stopped]);
      return placesOf(solved, level.blocks.length);
    };
    return await layoutWell(drawing, memory, solve, control.signal);
  } finally {
    clearTimeout(deadline);
    if (running === control) running = null;
  }
}

export function cancelLayout(): void {
  if (running) stop(running, new DOMException("The layout was stopped", "AbortError"));
}

function stop(control: AbortController, reason: DOMException): void {
  control.abort(reason);
  engine?.worker.terminate();
  engine = null;
}

async function start(): Promise<ELK> {
  if (engine) return engine.elk;
  const { default: Elk } = await import("elkjs/lib/elk-api.js");
  const worker = new Worker(workerUrl, { name: "layout" });
  engine = { elk: new Elk({ workerFactory: () => worker }), worker };
  return engine.elk;
}
