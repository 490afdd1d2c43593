import type { Viewport } from "@xyflow/react";

import type { Rect } from "../layout/geometry";

export const ZOOM = { min: 0.03, max: 2 } as const;
const MOST_WHEN_FITTED = 1;
const EDGE = 32;
const PHONE = 720;
const READABLE = 0.5;
const READABLE_ON_PHONES = 0.55;
/** Below this the window would show less than a sixth of a drawing at the readable size. */
const FAR_LARGER = 0.2;
const MOST_SCREENS = 10;

/** Return the window in which a rectangle is wholly seen, not larger than at 100 %. */
export function viewportFor(rect: Rect, size: { width: number; height: number }, most = MOST_WHEN_FITTED): Viewport {
  if (rect.w <= 0 || rect.h <= 0 || size.width <= 0 || size.height <= 0)
    return { x: size.width / 2 - rect.x, y: size.height / 2 - rect.y, zoom: 1 };
  const edge = Math.min(EDGE, size.width / 20, size.height / 20);
  const fitted = Math.min((size.width - 2 * edge) / rect.w, (size.height - 2 * edge) / rect.h);
  const zoom = Math.max(ZOOM.min, Math.min(most, fitted));
  return {
    x: size.width / 2 - (rect.x + rect.w / 2) * zoom, y: size.height / 2 - (rect.y + rect.h / 2) * zoom, zoom,
  };
}

/**
 * Return the window that a drawing is opened with: all of it, but not so small that its names cannot be read; then it
 * begins at the left and the top. What is far larger than the window is shown whole all the same, to find one's way.
 */
export function firstViewport(rect: Rect, size: { width: number; height: number }): Viewport {
  const whole = viewportFor(rect, size);
  const phone = size.width < PHONE;
  const zoom = phone ? READABLE_ON_PHONES : READABLE;
  const far = phone ? rect.w > MOST_SCREENS * size.width : whole.zoom < FAR_LARGER;
  if (whole.zoom >= zoom || far) return whole;
  const start = (from: number, length: number, room: number) =>
    length * zoom <= room - EDGE ? room / 2 - (from + length / 2) * zoom : EDGE / 2 - from * zoom;
  return { x: start(rect.x, rect.w, size.width), y: start(rect.y, rect.h, size.height), zoom };
}

/** Return what part of the canvas is seen. */
export function seen({ x, y, zoom }: Viewport, size: { width: number; height: number }): Rect {
  return { x: -x / zoom, y: -y / zoom, w: size.width / zoom, h: size.height / zoom };
}

const within = (box: Rect, view: Rect): boolean =>
  box.x >= view.x && box.y >= view.y && box.x + box.w <= view.x + view.w && box.y + box.h <= view.y + view.h;

/**
 * Return the window after the canvas has got another size, or null to leave it. A drawing that was wholly seen stays
 * so; else what is selected and was seen is moved into view, no further than needed.
 */
export function roomFor(
  viewport: Viewport, before: { width: number; height: number }, now: { width: number; height: number }, whole: Rect, chosen: Rect[],
): Viewport | null {
  const [old, view] = [seen(viewport, before), seen(viewport, now)];
  if (within(whole, old)) return within(whole, view) ? null : viewportFor(whole, now, Math.min(MOST_WHEN_FITTED, viewport.zoom));
  const lost = chosen.filter((box) => within(box, old) && !within(box, view));
  const last = lost[lost.length - 1];
  if (!last) return null;
  const edge = EDGE / viewport.zoom;
  const dx = Math.max(0, last.x + last.w + edge - (view.x + view.w));
  const dy = Math.max(0, last.y + last.h + edge - (view.y + view.h));
  return { ...viewport, x: viewport.x - dx * viewport.zoom, y: viewport.y - dy * viewport.zoom };
}
