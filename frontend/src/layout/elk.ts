import type { ELK, ElkNode } from "elkjs/lib/elk-api.js";
// The worker of the engine is a file of its own: it is fetched only when somebody opens a drawing that needs it.
import workerUrl from "elkjs/lib/elk-worker.min.js?url";

import type { Drawing } from "../document/types";
import { GAP, LAYER_GAP, type Geometry, type Memory } from "./geometry";
import type { Level } from "./layered";
import { layoutWell, type Places } from "./layout";

const DEADLINE_MS = 60_000;
/** A level wider than this many times its height is laid out again, wrapped, when it does not fit a screen. */
const WIDE = 3.4;
const SCREEN = 1_500;
const WRAPS_FROM = 5;

let engine: { elk: ELK; worker: Worker } | null = null;
let running: AbortController | null = null;

/** What the engine is asked for one level. */
export function elkGraph(level: Level, wrap = false): ElkNode {
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
    children: level.blocks.map((block, index) => {
      const y = block.anchor ?? block.h / 2;
      return {
        id: String(index), width: block.w, height: block.h, layoutOptions: { "elk.portConstraints": "FIXED_POS" },
        ports: [
          { id: `${index}<`, x: 0, y, width: 0, height: 0, layoutOptions: { "elk.port.side": "WEST" } },
          { id: `${index}>`, x: block.w, y, width: 0, height: 0, layoutOptions: { "elk.port.side": "EAST" } },
        ],
      };
    }),
    edges: level.links.map(([from, to], index) => ({ id: `e${index}`, sources: [`${from}>`], targets: [`${to}<`] })),
  };
}

/** Solve one level; long chains are wrapped, so that they stay about as wide as a screen. */
export async function solveLevel(level: Level, layout: (graph: ElkNode) => Promise<ElkNode>): Promise<Places> {
  const places = placesOf(await layout(elkGraph(level)), level.blocks.length);
  if (level.blocks.length < WRAPS_FROM || !tooWide(level, places)) return places;
  return placesOf(await layout(elkGraph(level, true)), level.blocks.length);
}

function tooWide(level: Level, places: Places): boolean {
  const w = Math.max(...places.map((place, index) => place.x + level.blocks[index]!.w));
  const h = Math.max(...places.map((place, index) => place.y + level.blocks[index]!.h));
  return w > SCREEN && w > WIDE * h;
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
      stopped.catch(() => undefined); // heard by the race while it runs, by nobody after it
      return solveLevel(level, (graph) => Promise.race([elk.layout(graph), stopped]));
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
