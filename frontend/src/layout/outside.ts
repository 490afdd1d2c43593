import type { Drawing } from "../document/types";
import { LAYER_GAP, snap, type Geometry, type Rect } from "./geometry";

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

/** What is fitted into the window: all nodes, and the mark of the outside when it is drawn. */
export function extent(drawing: Drawing, geometry: Geometry, ports: boolean): Rect {
  const mark = ports ? outsideOf(drawing, geometry) : null;
  const { x, y, w, h } = geometry.bounds;
  return mark ? { x: mark.x, y, w: w + x - mark.x, h } : { x, y, w, h };
}
