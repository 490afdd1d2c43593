import type { Drawing, EdgeKind, Kind } from "../document/types";
import { absolute, kindOf, LAYER_GAP, snap, union, type Geometry, type Rect } from "./geometry";

export type Layers = Readonly<Record<EdgeKind | "ports", boolean>>;

/** The id of the mark that stands for the world outside; no node of a drawing has such a name. */
export const OUTSIDE = "outside:";
const SIZE = 84;

/** Return where the mark of the outside stands: left of all, at the height of what it reaches; null without ports. */
export function outsideOf(drawing: Drawing, geometry: Geometry): Rect | null {
  const middles: number[] = [];
  for (const { service } of drawing.published) {
    const box = geometry.boxes.get(service);
    if (box) middles.push(box.ay + box.h / 2);
  }
  if (middles.length === 0) return null;
  const middle = middles.reduce((sum, one) => sum + one, 0) / middles.length;
  return { x: geometry.bounds.x - LAYER_GAP - SIZE, y: snap(middle - SIZE / 2), w: SIZE, h: SIZE };
}

/** Kinds of nodes that are drawn with the layer of their edges only. */
export function hiddenKind(kind: Kind, layers: Layers): boolean {
  return (kind === "volume" || kind === "network" || kind === "config" || kind === "secret") && !layers[kind];
}

/** What is fitted into the window: all nodes of the shown layers, and the mark of the outside when it is drawn. */
export function extent(drawing: Drawing, geometry: Geometry, layers: Layers): Rect {
  const mark = layers.ports ? outsideOf(drawing, geometry) : null;
  const rects: Rect[] = mark ? [mark] : [];
  for (const [id, box] of geometry.boxes) if (!hiddenKind(kindOf(id), layers)) rects.push(absolute(box));
  return union(rects);
}
