/** Keeps the places up to date with the drawing: fast at once, better when ELK has answered, nothing when nothing moved. */
import type { Drawing } from "../document/types";
import { layoutByElk } from "../layout/elk";
import { structureKey, type Geometry } from "../layout/geometry";
import { layoutNow } from "../layout/layout";
import { useDocument } from "../store/document";
import { usePaint } from "../store/paint";
import { share } from "./share";
import { useCanvas } from "./state";

const KEPT = 12;

/** The last layouts by what they depend on: undo and redo show again exactly what was seen. */
const cache = new Map<string, Geometry>();

export function forgetLayouts(): void {
  cache.clear();
}

/** Follow the document; returns what stops it. */
export function startPlaces(): () => void {
  let last = toShow();
  follow(last);
  const look = (): void => {
    const now = toShow();
    if (now === last) return;
    last = now;
    follow(now);
  };
  const stops = [useDocument.subscribe(look), usePaint.subscribe(look)];
  return () => stops.forEach((stop) => stop());
}

/** A comparison has a drawing of its own, in which what was removed has its place. */
function toShow(): Drawing {
  const { mode, compared } = usePaint.getState();
  return mode === "diff" && compared !== null ? compared : useDocument.getState().drawing;
}

export function follow(derived: Drawing): void {
  const { drawing: shown, geometry } = useCanvas.getState();
  const drawing = share(shown, derived);
  const nodesById = drawing.nodes === shown?.nodes ? useCanvas.getState().nodesById : new Map(drawing.nodes.map((node) => [node.id, node]));
  const key = structureKey(drawing);
  if (key === geometry.key) return useCanvas.getState().set({ drawing, nodesById });
  const known = cache.get(key);
  const next = known ?? layoutNow(drawing, geometry.memory);
  keep(next);
  useCanvas.getState().set({ drawing, nodesById, geometry: next });
  if (!known && worthElk(drawing, next)) void improve(drawing, next);
}

/** Lay out anew with what is remembered now. */
export function relayout(memory: Geometry["memory"]): void {
  const { drawing } = useCanvas.getState();
  if (!drawing) return;
  forgetLayouts();
  const next = layoutNow(drawing, memory);
  useCanvas.getState().set({ geometry: next });
  if (worthElk(drawing, next)) void improve(drawing, next);
}

function worthElk(drawing: Drawing, geometry: Geometry): boolean {
  return typeof Worker !== "undefined" && drawing.edges.length > 0 &&
    [...geometry.fresh].some((group) => (geometry.children.get(group)?.length ?? 0) > 2);
}

async function improve(drawing: Drawing, fast: Geometry): Promise<void> {
  // What was only just laid out may move; what was seen before may not.
  const memory = new Map([...fast.memory].filter(([, was]) => !fast.fresh.has(was.parent)));
  useCanvas.getState().set({ arranging: true });
  try {
    const better = await layoutByElk(drawing, memory);
    await still();
    const now = useCanvas.getState();
    if (now.geometry !== fast) return;
    keep(better);
    now.set({ geometry: better });
  } catch (error) {
    // Stopped, too slow, or no worker: the fast layout stays, which is what it is for.
    if (!(error instanceof DOMException)) console.warn("layout", error);
  } finally {
    useCanvas.getState().set({ arranging: false });
  }
}

/** Nothing is shifted under a hand that moves a card or the window. */
async function still(): Promise<void> {
  for (;;) {
    const { dragging, moving, connecting } = useCanvas.getState();
    if (!dragging && !moving && connecting === null) return;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

function keep(geometry: Geometry): void {
  cache.delete(geometry.key);
  cache.set(geometry.key, geometry);
  const oldest = cache.keys().next().value;
  if (cache.size > KEPT && oldest !== undefined) cache.delete(oldest);
}
