/** Where everything stands. Nothing here knows React or the DOM. Lengths are pixels of the canvas at 100 %. */
import type { Drawing, DrawingNode, Kind, NodeId } from "../document/types";

export interface Rect {
  x: number;
  y: number;
  w: number;
  h: number;
}

/** `x`, `y` are relative to the parent, `ax`, `ay` to the canvas. */
export interface Box extends Rect {
  ax: number;
  ay: number;
}

export interface Remembered {
  parent: NodeId | null;
  x: number;
  y: number;
}

/** The automatic positions that were shown, so that a later layout leaves them where the user has seen them. */
export type Memory = ReadonlyMap<NodeId, Remembered>;

export interface Geometry {
  /** What is shown: nodes inside a collapsed group have no box. */
  boxes: ReadonlyMap<NodeId, Box>;
  /** Node -> the collapsed group that stands for it. */
  hosts: ReadonlyMap<NodeId, NodeId>;
  children: ReadonlyMap<NodeId | null, readonly NodeId[]>;
  bounds: Rect;
  memory: Memory;
  /** Groups whose whole content was laid out anew: a better layout may still move it. */
  fresh: ReadonlySet<NodeId | null>;
  key: string;
}

export const GRID = 12;
export const CARD = { w: 228, h: 108 } as const;
export const SMALL = { w: 192, h: 48 } as const;
export const FOLDED = { w: 276, h: 60 } as const;
export const PAD = 24;
export const HEAD = 60;
export const GAP = 24;
export const LAYER_GAP = 108;
const EMPTY_MACHINE = { w: 276, h: 216 };
const EMPTY_REGION = { w: 420, h: 276 };

export function isGroup(node: DrawingNode): node is DrawingNode & { collapsed: boolean; kind: "machine" | "region" } {
  return node.kind === "machine" || node.kind === "region";
}

export function isGroupId(id: NodeId): boolean {
  return id.startsWith("machine:") || id.startsWith("region:");
}

export function kindOf(id: NodeId): Kind {
  return id.slice(0, id.indexOf(":")) as Kind;
}

export function leafSize(kind: Kind): { w: number; h: number } {
  return kind === "service" ? CARD : SMALL;
}

export function emptySize(kind: Kind): { w: number; h: number } {
  return kind === "region" ? EMPTY_REGION : EMPTY_MACHINE;
}

export function snap(value: number): number {
  return Math.round(value / GRID) * GRID;
}

export function overlaps(a: Rect, b: Rect, margin = 0): boolean {
  return a.x < b.x + b.w + margin && b.x < a.x + a.w + margin && a.y < b.y + b.h + margin && b.y < a.y + a.h + margin;
}

export function union(rects: Iterable<Rect>): Rect {
  let left = Infinity;
  let top = Infinity;
  let right = -Infinity;
  let bottom = -Infinity;
  for (const rect of rects) {
    left = Math.min(left, rect.x);
    top = Math.min(top, rect.y);
    right = Math.max(right, rect.x + rect.w);
    bottom = Math.max(bottom, rect.y + rect.h);
  }
  return left === Infinity ? { x: 0, y: 0, w: 0, h: 0 } : { x: left, y: top, w: right - left, h: bottom - top };
}

export function absolute(box: Box): Rect {
  return { x: box.ax, y: box.ay, w: box.w, h: box.h };
}

/** What a layout depends on; texts that differ only in other things (an image, a limit) keep their layout. */
export function structureKey(drawing: Drawing): string {
  const parts: string[] = [];
  for (const node of drawing.nodes) {
    const folded = isGroup(node) && node.collapsed ? "!" : "";
    parts.push(`${node.id}${folded}<${node.parent ?? ""}@${node.at?.join() ?? ""}#${node.size?.join() ?? ""}`);
  }
  for (const edge of drawing.edges) parts.push(`${edge.source}>${edge.target}`);
  return parts.join("\n");
}

/** Return what is shown for a node: itself, the collapsed group around it, or null when it is unknown. */
export function shownAs(geometry: Geometry, id: NodeId): NodeId | null {
  if (geometry.boxes.has(id)) return id;
  return geometry.hosts.get(id) ?? null;
}

/** Return the group whose box holds the point, the innermost one; `except` and what is in them do not count. */
export function groupAt(
  geometry: Geometry,
  x: number,
  y: number,
  fits: (id: NodeId) => boolean,
  except: ReadonlySet<NodeId> = new Set(),
): NodeId | null {
  let parent: NodeId | null = null;
  let found: NodeId | null = null;
  for (;;) {
    let next: NodeId | null = null;
    for (const id of geometry.children.get(parent) ?? []) {
      if (!isGroupId(id) || except.has(id)) continue;
      const box = geometry.boxes.get(id);
      if (box && x >= box.ax && x <= box.ax + box.w && y >= box.ay && y <= box.ay + box.h) next = id;
    }
    if (next === null) return found;
    if (fits(next)) found = next;
    parent = next;
  }
}
