/** What can be done to what is selected; each is at most one command, so one step of undo. */
import type { Applied, Command, DrawingNode, Kind, NodeId, Point } from "../document/types";
import { absolute, groupAt, HEAD, isGroupId, kindOf, PAD, snap, type Rect } from "../layout/geometry";
import { useDocument } from "../store/document";
import { useView } from "../store/view";
import { relayout } from "./places";
import { parentOf, seenAt, useCanvas, type Override } from "./state";

export async function run(command: Command): Promise<Applied> {
  const applied = await useDocument.getState().run(command);
  if (!applied.ok) useView.getState().say(applied.refused, "refused");
  return applied;
}

export function editable(): boolean {
  return !useDocument.getState().readOnly;
}

/** Which groups may hold a node of this kind. */
export function fitsIn(kind: Kind, group: NodeId): boolean {
  if (kind === "service") return isGroupId(group);
  return kind === "machine" && kindOf(group) === "region";
}

/**
 * Return the group that takes a node of this kind at this point of the canvas. Beside all regions it is the first one:
 * what names none belongs to it, so its frame has to hold what is put there.
 */
export function takes(kind: Kind, at: Point, except: ReadonlySet<NodeId> = new Set()): NodeId | null {
  const { geometry } = useCanvas.getState();
  const found = groupAt(geometry, at[0], at[1], (group) => fitsIn(kind, group), except);
  if (found !== null || (kind !== "service" && kind !== "machine")) return found;
  return (geometry.children.get(null) ?? []).find((id) => kindOf(id) === "region" && geometry.boxes.has(id)) ?? null;
}

/** Return the group that takes a node of this kind at this point of the canvas, and where in it. */
export function landing(kind: Kind, at: Point, except: ReadonlySet<NodeId> = new Set()): { parent: NodeId | null; at: Point } {
  const parent = takes(kind, at, except);
  return { parent, at: within(parent, at, at) };
}

/**
 * Turn a point of the canvas into one of the group, not over its head. What lies beside a region (its `middle` tells)
 * stays there to the pixel, though it belongs to it.
 */
export function within(parent: NodeId | null, at: Point, middle?: Point): Point {
  const box = parent === null ? undefined : useCanvas.getState().geometry.boxes.get(parent);
  if (!box || parent === null) return [snap(at[0]), snap(at[1])];
  const point: Point = [snap(at[0] - box.ax), snap(at[1] - box.ay)];
  if (middle && kindOf(parent) === "region" && !holds(absolute(box), middle)) return point;
  return [Math.max(PAD, point[0]), Math.max(HEAD, point[1])];
}

function holds(rect: Rect, [x, y]: Point): boolean {
  return x >= rect.x && x <= rect.x + rect.w && y >= rect.y && y <= rect.y + rect.h;
}

/** Return the point of a moved card that decides which group it is in. */
export function middleOf(rect: Rect): Point {
  return [rect.x + rect.w / 2, rect.y + Math.min(rect.h / 2, 66)];
}

/** Return the group that a dragged card is dropped into: what the pointer is over, else what is under its middle. */
export function dropped(kind: Kind, rect: Rect, pointer: Point | null, except: ReadonlySet<NodeId>): NodeId | null {
  const { geometry } = useCanvas.getState();
  const pointed = pointer && groupAt(geometry, pointer[0], pointer[1], (group) => fitsIn(kind, group), except);
  const under = takes(kind, middleOf(rect), except);
  // A card that is held by its edge hangs over the frame of a region: its middle may be in a machine.
  return pointed && (kindOf(pointed) === "machine" || under === null || kindOf(under) === "region") ? pointed : under;
}

interface Moved {
  id: NodeId;
  /** Where it is seen now, in canvas units. */
  rect: Rect;
}

/**
 * Write down where nodes were moved to; those whose middle is in another group go into it when `reparent`. For the card
 * that is `held` the group under the pointer comes before the one under its middle. Until the
 * new drawing is there they are shown where they were left; a refusal brings them back.
 */
export async function place(moved: readonly Moved[], reparent: boolean, held?: { id: NodeId; at: Point }): Promise<void> {
  if (moved.length === 0) return;
  const { geometry } = useCanvas.getState();
  const all = new Set(moved.map(({ id }) => id));
  const moves = moved.map(({ id, rect }) => {
    const kind = kindOf(id);
    const now = parentOf(geometry, id);
    const middle = middleOf(rect);
    const movable = kind === "service" || kind === "machine";
    const parent = reparent && movable ? dropped(kind, rect, held?.id === id ? held.at : null, all) : now;
    const size = useCanvas.getState().overrides.get(id);
    return {
      id, at: within(parent, [rect.x, rect.y], middle),
      ...(parent === now ? {} : { parent }),
      ...(size?.w !== undefined && size.h !== undefined ? { size: [snap(size.w), snap(size.h)] as const } : {}),
    };
  });
  try {
    await run({ do: "place", moves });
  } finally {
    release(all);
  }
}

/** Forget what was shown in advance. */
export function release(ids: Iterable<NodeId>): void {
  const overrides = new Map(useCanvas.getState().overrides);
  for (const id of ids) overrides.delete(id);
  useCanvas.getState().set({ overrides });
}

export function override(changes: Iterable<readonly [NodeId, Override]>): void {
  const overrides = new Map(useCanvas.getState().overrides);
  for (const [id, over] of changes) overrides.set(id, { ...overrides.get(id), ...over });
  useCanvas.getState().set({ overrides });
}

/** Write down the size that a group was drawn to. */
export function resized(id: NodeId, to: { x: number; y: number; width: number; height: number }): void {
  override([[id, { x: to.x, y: to.y, w: to.width, h: to.height }]]);
  const rect = seenAt(id);
  if (rect) void place([{ id, rect }], false);
}

/** What is selected, without what is inside of something else that is selected. */
export function outermost(ids: readonly NodeId[] = useView.getState().selection): NodeId[] {
  const { geometry } = useCanvas.getState();
  const chosen = new Set(ids);
  return ids.filter((id) => {
    for (let at = parentOf(geometry, id); at !== null; at = parentOf(geometry, at)) if (chosen.has(at)) return false;
    return true;
  });
}

export type Edge = "left" | "center" | "right" | "top" | "middle" | "bottom";

/** Return the rectangles lined up on one edge of what holds them all. */
export function aligned(rects: readonly Rect[], edge: Edge): Rect[] {
  const left = Math.min(...rects.map((rect) => rect.x));
  const top = Math.min(...rects.map((rect) => rect.y));
  const right = Math.max(...rects.map((rect) => rect.x + rect.w));
  const bottom = Math.max(...rects.map((rect) => rect.y + rect.h));
  return rects.map((rect) => {
    switch (edge) {
      case "left": return { ...rect, x: left };
      case "right": return { ...rect, x: right - rect.w };
      case "center": return { ...rect, x: snap((left + right - rect.w) / 2) };
      case "top": return { ...rect, y: top };
      case "bottom": return { ...rect, y: bottom - rect.h };
      case "middle": return { ...rect, y: snap((top + bottom - rect.h) / 2) };
    }
  });
}

/** Return the rectangles with equal gaps between them; the first and the last stay. */
export function distributed(rects: readonly Rect[], axis: "horizontal" | "vertical"): Rect[] {
  const at = axis === "horizontal" ? "x" : "y";
  const size = axis === "horizontal" ? "w" : "h";
  const order = rects.map((_, index) => index).sort((a, b) => rects[a]![at] - rects[b]![at]);
  const result = rects.map((rect) => ({ ...rect }));
  if (rects.length < 3) return result;
  const first = rects[order[0]!]!;
  const last = rects[order[order.length - 1]!]!;
  const filled = order.reduce((sum, index) => sum + rects[index]![size], 0);
  const gap = (last[at] + last[size] - first[at] - filled) / (rects.length - 1);
  let next = first[at];
  for (const index of order) {
    result[index]![at] = snap(next);
    next += rects[index]![size] + gap;
  }
  return result;
}

export function align(edge: Edge): void {
  rearrange((rects) => aligned(rects, edge), 2);
}

export function distribute(axis: "horizontal" | "vertical"): void {
  rearrange((rects) => distributed(rects, axis), 3);
}

function rearrange(how: (rects: readonly Rect[]) => Rect[], least: number): void {
  const ids = outermost().filter((id) => seenAt(id) !== null);
  if (!editable()) return;
  if (ids.length < least) return useView.getState().say({ key: "canvas.select_more", params: { count: least } }, "refused");
  const rects = how(ids.map((id) => seenAt(id)!));
  void place(ids.map((id, index) => ({ id, rect: rects[index]! })), false);
}

/** Forget hand-made places of all nodes, or of these and what is in them, and lay out anew; false when refused. */
export async function arrange(nodes?: readonly NodeId[]): Promise<boolean> {
  if (!editable()) return false;
  const { geometry } = useCanvas.getState();
  const chosen = nodes && nodes.length > 0 ? expand(nodes) : null;
  const memory = new Map(chosen === null ? [] : [...geometry.memory].filter(([id]) => !chosen.has(id)));
  const applied = await run({ do: "unplace", nodes: chosen === null ? "all" : [...chosen] });
  // Also when the text named no place, so that it did not change: what was seen is let go.
  if (applied.ok) relayout(memory);
  return applied.ok;
}

/** A group that is arranged means what is in it; cards mean themselves. */
function expand(nodes: readonly NodeId[]): Set<NodeId> {
  const { geometry } = useCanvas.getState();
  const found = new Set<NodeId>();
  const inside = (id: NodeId): void => {
    for (const child of geometry.children.get(id) ?? []) {
      found.add(child);
      inside(child);
    }
  };
  for (const id of nodes) {
    if (isGroupId(id)) inside(id);
    else found.add(id);
  }
  return found;
}

export function toggleCollapsed(id: NodeId, collapsed: boolean): Promise<Applied> {
  return run({ do: "collapse", id, collapsed });
}

export function byId(id: NodeId): DrawingNode | undefined {
  return useCanvas.getState().nodesById.get(id);
}

/** Return where all of these stand together; null when none of them is shown. */
export function boundsOf(ids: readonly NodeId[]): Rect | null {
  const { geometry } = useCanvas.getState();
  const rects = ids.flatMap((id) => {
    const box = geometry.boxes.get(id) ?? geometry.boxes.get(geometry.hosts.get(id) ?? ("" as NodeId));
    return box ? [absolute(box)] : [];
  });
  if (rects.length === 0) return null;
  const x = Math.min(...rects.map((rect) => rect.x));
  const y = Math.min(...rects.map((rect) => rect.y));
  return {
    x, y, w: Math.max(...rects.map((rect) => rect.x + rect.w)) - x, h: Math.max(...rects.map((rect) => rect.y + rect.h)) - y,
  };
}
