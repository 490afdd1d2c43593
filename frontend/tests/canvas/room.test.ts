import { expect, test } from "vitest";

import { roomFor, seen, viewportFor } from "../../src/canvas/viewport";

const WHOLE = { x: 0, y: 0, w: 700, h: 400 };
const WIDE = { width: 800, height: 600 };
const NARROW = { width: 500, height: 600 };

test("a drawing that was wholly seen is wholly seen when a panel opens", () => {
  const viewport = viewportFor(WHOLE, WIDE);
  const next = roomFor(viewport, WIDE, NARROW, WHOLE, [])!;
  const view = seen(next, NARROW);
  expect(view.x).toBeLessThanOrEqual(0);
  expect(view.x + view.w).toBeGreaterThanOrEqual(700);
});

test("nothing moves when there is room enough", () => {
  expect(roomFor({ x: 10, y: 10, zoom: 0.5 }, WIDE, NARROW, WHOLE, [])).toBeNull();
});

test("of a larger drawing only what is selected is kept in view, by the smallest move", () => {
  const large = { x: -5_000, y: 0, w: 20_000, h: 400 };
  const box = { x: 600, y: 100, w: 100, h: 50 };
  const next = roomFor({ x: 0, y: 0, zoom: 1 }, WIDE, NARROW, large, [box])!;
  expect(next).toEqual({ x: -232, y: 0, zoom: 1 });
  expect(roomFor({ x: 0, y: 0, zoom: 1 }, WIDE, NARROW, large, [])).toBeNull();
});
