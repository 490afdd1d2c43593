/** How an edge runs between two boxes: the same for the canvas, the far summaries and the exported picture. */
import { GAP, type Rect } from "./geometry";

export interface Way {
  d: string;
  /** The middle, where a label goes. */
  x: number;
  y: number;
  /** The target hangs under the source: there is no room for a label. */
  hangs: boolean;
}

const LEAST_BEND = 36;

/** Leave on the side that faces the target; what hangs under a card is reached by an elbow at its left. */
export function way(from: Rect, to: Rect): Way {
  const hangs = to.h <= 60 && to.y >= from.y + from.h && to.x > from.x && to.x < from.x + from.w - 2 * GAP;
  if (hangs && to.y - from.y - from.h < 6 * 60) return elbow(from, to);
  const apartX = Math.max(to.x - (from.x + from.w), from.x - (to.x + to.w));
  const apartY = Math.max(to.y - (from.y + from.h), from.y - (to.y + to.h));
  return apartX >= GAP || apartX >= apartY ? across(from, to) : down(from, to);
}

function elbow(from: Rect, to: Rect): Way {
  const x = from.x + 18;
  const y = to.y + to.h / 2;
  const start = from.y + from.h;
  return { d: `M${r(x)} ${r(start)}V${r(y - 8)}Q${r(x)} ${r(y)} ${r(x + 8)} ${r(y)}H${r(to.x)}`, x, y: (start + y) / 2, hangs: true };
}

function across(from: Rect, to: Rect): Way {
  const forward = to.x + to.w / 2 >= from.x + from.w / 2;
  const x1 = forward ? from.x + from.w : from.x;
  const x2 = forward ? to.x : to.x + to.w;
  const y1 = from.y + from.h / 2;
  const y2 = to.y + to.h / 2;
  const bend = Math.max(LEAST_BEND, Math.abs(x2 - x1) / 2) * (forward ? 1 : -1);
  return {
    d: `M${r(x1)} ${r(y1)}C${r(x1 + bend)} ${r(y1)} ${r(x2 - bend)} ${r(y2)} ${r(x2)} ${r(y2)}`,
    x: (x1 + x2) / 2, y: (y1 + y2) / 2, hangs: false,
  };
}

function down(from: Rect, to: Rect): Way {
  const below = to.y + to.h / 2 >= from.y + from.h / 2;
  const y1 = below ? from.y + from.h : from.y;
  const y2 = below ? to.y : to.y + to.h;
  const x1 = from.x + from.w / 2;
  const x2 = to.x + to.w / 2;
  const bend = Math.max(LEAST_BEND / 2, Math.abs(y2 - y1) / 2) * (below ? 1 : -1);
  return {
    d: `M${r(x1)} ${r(y1)}C${r(x1)} ${r(y1 + bend)} ${r(x2)} ${r(y2 - bend)} ${r(x2)} ${r(y2)}`,
    x: (x1 + x2) / 2, y: (y1 + y2) / 2, hangs: false,
  };
}

function r(value: number): number {
  return Math.round(value * 10) / 10;
}
