/**
 * How much of the drawing is on the page. A unit is what can be drawn either as one summary or open, with its content:
 * a region, a machine, or a tile, which gathers nodes that stand in the open. Far away regions are summaries, nearer
 * machines and tiles are, near all is open; and only what is near the window is on the page at all.
 */
import type { NodeId } from "../document/types";
import { absolute, isGroupId, overlaps, union, type Geometry, type Rect } from "../layout/geometry";

export type Level = 0 | 1 | 2;
export type UnitId = string;

export interface Unit {
  id: UnitId;
  tile: boolean;
  parent: UnitId | null;
  depth: number;
  rect: Rect;
  /** Nodes that are on the page when it is open: those of the group itself, or those of the tile. */
  leaves: readonly NodeId[];
  units: readonly UnitId[];
  /** All nodes below, for the summary. */
  all: readonly NodeId[];
}

export interface Plan {
  units: ReadonlyMap<UnitId, Unit>;
  roots: readonly UnitId[];
  /** Node -> the units around it, outermost first. */
  around: ReadonlyMap<NodeId, readonly UnitId[]>;
  size: number;
}

export interface Detail {
  level: Level;
  near: ReadonlySet<UnitId>;
  open: ReadonlySet<UnitId>;
}

const FAR = 0.13;
const MIDDLE = 0.4;
/** So few nodes are cards down to here: they cost nothing, and summaries are for what is too much to read. */
const FEW = { nodes: 60, middle: 0.15, far: 0.06 } as const;
/** A level is left a little later than it is entered, so that it does not flicker at the border. */
const STICKY = 0.06;
const TILE = { w: 1_512, h: 1_080 };
const TILED_FROM = 24;
/** Drawings up to this many nodes are wholly on the page at 100 %: the Tab key and the page search reach all of it. */
export const SMALL_DRAWING = 120;

/** Return what a drawing of so many nodes is shown as at a zoom. */
export function levelAt(zoom: number, before: Level | null = null, nodes = Infinity): Level {
  const up = before === null ? 0 : STICKY;
  const few = nodes <= FEW.nodes;
  if (zoom > (few ? FEW.middle : MIDDLE) * (before === 2 ? 1 - up : 1)) return 2;
  if (zoom > (few ? FEW.far : FAR) * (before !== null && before >= 1 ? 1 - up : 1)) return 1;
  return 0;
}

export function planOf(geometry: Geometry): Plan {
  const units = new Map<UnitId, Unit>();
  const around = new Map<NodeId, readonly UnitId[]>();
  const walk = (parent: NodeId | null, chain: readonly UnitId[]): { units: UnitId[]; leaves: NodeId[]; all: NodeId[] } => {
    const found = { units: [] as UnitId[], leaves: [] as NodeId[], all: [] as NodeId[] };
    const open: NodeId[] = [];
    for (const id of geometry.children.get(parent) ?? []) {
      const box = geometry.boxes.get(id);
      if (!box) continue;
      if (!isGroupId(id)) {
        open.push(id);
        continue;
      }
      around.set(id, [...chain, id]);
      const inside = walk(id, [...chain, id]);
      units.set(id, {
        id, tile: false, parent: chain[chain.length - 1] ?? null, depth: chain.length,
        // What belongs to a region may lie beside it.
        rect: union([absolute(box), ...inside.all.map((member) => absolute(geometry.boxes.get(member)!))]),
        leaves: inside.leaves, units: inside.units, all: inside.all,
      });
      found.units.push(id);
      found.all.push(id, ...inside.all);
    }
    found.all.push(...open);
    const machine = parent?.startsWith("machine:") ?? false;
    if (machine && open.length <= TILED_FROM) {
      found.leaves = open;
      for (const id of open) around.set(id, chain);
      return found;
    }
    for (const [key, members] of tiles(geometry, open)) {
      const id = `tile:${parent ?? ""}:${key}`;
      units.set(id, {
        id, tile: true, parent: chain[chain.length - 1] ?? null, depth: chain.length, leaves: members, units: [],
        all: members, rect: union(members.map((member) => absolute(geometry.boxes.get(member)!))),
      });
      found.units.push(id);
      for (const member of members) around.set(member, [...chain, id]);
    }
    return found;
  };
  const roots = walk(null, []).units;
  return { units, roots, around, size: geometry.boxes.size };
}

function tiles(geometry: Geometry, members: readonly NodeId[]): Map<string, NodeId[]> {
  const found = new Map<string, NodeId[]>();
  for (const id of members) {
    const box = geometry.boxes.get(id)!;
    const key = `${Math.floor((box.ax + box.w / 2) / TILE.w)},${Math.floor((box.ay + box.h / 2) / TILE.h)}`;
    const there = found.get(key);
    if (there) there.push(id);
    else found.set(key, [id]);
  }
  return found;
}

/** Return the detail that the window asks for: what meets it, with half a screen around. */
export function wanted(plan: Plan, level: Level, view: Rect, margin = 0.5): Detail {
  const whole = level === 2 && plan.size <= SMALL_DRAWING;
  const window = {
    x: view.x - view.w * margin, y: view.y - view.h * margin, w: view.w * (1 + 2 * margin), h: view.h * (1 + 2 * margin),
  };
  const near = new Set<UnitId>();
  const open = new Set<UnitId>();
  const visit = (id: UnitId): void => {
    const unit = plan.units.get(id)!;
    if (!whole && !overlaps(unit.rect, window)) return;
    near.add(id);
    const opens = level === 2 || (level === 1 && !unit.tile && id.startsWith("region:"));
    if (!opens) return;
    open.add(id);
    unit.units.forEach(visit);
  };
  plan.roots.forEach(visit);
  return { level, near, open };
}

/** Return the detail one frame nearer to what is wanted, with about `budget` nodes changed; null when it is reached. */
export function approach(now: Detail, want: Detail, plan: Plan, view: Rect, budget: number): Detail | null {
  const cx = view.x + view.w / 2;
  const cy = view.y + view.h / 2;
  const todo: { unit: Unit; opens: boolean; far: number }[] = [];
  for (const id of want.near) {
    const opens = want.open.has(id);
    if (now.near.has(id) && (!opens || now.open.has(id))) continue;
    const unit = plan.units.get(id)!;
    const far = Math.hypot(unit.rect.x + unit.rect.w / 2 - cx, unit.rect.y + unit.rect.h / 2 - cy);
    todo.push({ unit, opens, far });
  }
  const gone = [...now.near].filter((id) => !want.near.has(id));
  const closing = [...now.open].filter((id) => !want.open.has(id));
  if (todo.length === 0 && gone.length === 0 && closing.length === 0) return now.level === want.level ? null : want;

  const near = new Set(now.near);
  const open = new Set(now.open);
  let left = budget;
  todo.sort((a, b) => a.unit.depth - b.unit.depth || a.far - b.far);
  for (const { unit, opens } of todo) {
    if (left <= 0) break;
    if (!near.has(unit.id)) left -= 1;
    near.add(unit.id);
    if (opens) {
      left -= unit.leaves.length + unit.units.length;
      open.add(unit.id);
    }
  }
  for (const id of closing) {
    if (left <= 0) break;
    open.delete(id);
    left -= (plan.units.get(id)?.leaves.length ?? 0) / 2;
  }
  for (const id of gone) {
    if (left <= 0) break;
    near.delete(id);
    open.delete(id);
    left -= (plan.units.get(id)?.leaves.length ?? 0) / 2 + 0.5;
  }
  return { level: want.level, near, open };
}

/** Return what stands for a node at this detail: the node itself or the outermost unit that is not open. */
export function standsFor(plan: Plan, detail: Detail, id: NodeId): string {
  for (const unit of plan.around.get(id) ?? []) if (!detail.open.has(unit)) return unit;
  return id;
}
