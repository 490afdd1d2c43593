import { create } from "zustand";

import type { Drawing, DrawingNode, NodeId, Point } from "../document/types";
import type { Geometry, Rect } from "../layout/geometry";

/** A line along which what is dragged stands in line with something else, in canvas units. */
export interface Guide {
  axis: "x" | "y";
  at: number;
  from: number;
  to: number;
}

export interface MenuPlace {
  x: number;
  y: number;
  /** Where on the canvas it was opened, for pasting there. */
  at: Point;
  target: { node: NodeId } | { edge: string } | null;
}

/** What is shown before the text has followed: relative position, and size of a group that is being resized. */
export interface Override {
  x: number;
  y: number;
  w?: number;
  h?: number;
}

export const NOWHERE: Geometry = {
  boxes: new Map(), hosts: new Map(), children: new Map(), bounds: { x: 0, y: 0, w: 0, h: 0 }, memory: new Map(),
  fresh: new Set(), key: "",
};

/** The canvas's own state: gestures in flight. Nothing of it is part of the document. */
interface CanvasState {
  /** The drawing as shown: the document's, with unchanged objects kept; null before the first one. */
  drawing: Drawing | null;
  geometry: Geometry;
  nodesById: ReadonlyMap<NodeId, DrawingNode>;
  overrides: ReadonlyMap<NodeId, Override>;
  dragging: boolean;
  /** The window moves; what would shift things under it waits. */
  moving: boolean;
  dropTarget: NodeId | null;
  guides: readonly Guide[];
  /** While a connection is drawn: from where, and what it may lead to. */
  connecting: { source: NodeId; allowed: ReadonlySet<NodeId> } | null;
  menu: MenuPlace | null;
  /** Name of a cloud -> its kind (private, ovh, ibm, vmc, fake), for the hues of regions. */
  flavours: Readonly<Record<string, string>>;
  arranging: boolean;
  set: (state: Partial<CanvasState>) => void;
}

export const useCanvas = create<CanvasState>()((set) => ({
  drawing: null,
  geometry: NOWHERE,
  nodesById: new Map(),
  overrides: new Map(),
  dragging: false,
  moving: false,
  dropTarget: null,
  guides: [],
  connecting: null,
  menu: null,
  flavours: {},
  arranging: false,
  set: (state) => set(state),
}));

/** Where a node is seen now, with what is being dragged; null when it is not shown. */
export function seenAt(id: NodeId): Rect | null {
  const { geometry, overrides } = useCanvas.getState();
  const box = geometry.boxes.get(id);
  if (!box) return null;
  let x = box.ax;
  let y = box.ay;
  if (overrides.size > 0)
    for (let at: NodeId | null = id; at !== null; at = parentOf(geometry, at)) {
      const over = overrides.get(at);
      const was = geometry.boxes.get(at);
      if (over && was) {
        x += over.x - was.x;
        y += over.y - was.y;
      }
    }
  const own = overrides.get(id);
  return { x, y, w: own?.w ?? box.w, h: own?.h ?? box.h };
}

const parents = new WeakMap<Geometry, Map<NodeId, NodeId | null>>();

export function parentOf(geometry: Geometry, id: NodeId): NodeId | null {
  let known = parents.get(geometry);
  if (!known) {
    known = new Map();
    for (const [parent, members] of geometry.children) for (const member of members) known.set(member, parent);
    parents.set(geometry, known);
  }
  return known.get(id) ?? null;
}
