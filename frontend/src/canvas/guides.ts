import type { Rect } from "../layout/geometry";
import type { Guide } from "./state";

/**
 * Find what the moving rectangle stands in line with, within `reach`: how far to shift it so that it does exactly, and
 * the lines to show.
 */
export function alignTo(moving: Rect, others: readonly Rect[], reach: number): { dx: number; dy: number; guides: Guide[] } {
  const x = nearest(stops(moving.x, moving.w), others.map((other) => stops(other.x, other.w)), reach);
  const y = nearest(stops(moving.y, moving.h), others.map((other) => stops(other.y, other.h)), reach);
  const guides: Guide[] = [];
  const moved = { ...moving, x: moving.x + (x?.shift ?? 0), y: moving.y + (y?.shift ?? 0) };
  if (x) {
    const line = others.filter((other) => stops(other.x, other.w).some((stop) => Math.abs(stop - x.at) < 0.5));
    guides.push({
      axis: "x", at: x.at, from: Math.min(moved.y, ...line.map((other) => other.y)),
      to: Math.max(moved.y + moved.h, ...line.map((other) => other.y + other.h)),
    });
  }
  if (y) {
    const line = others.filter((other) => stops(other.y, other.h).some((stop) => Math.abs(stop - y.at) < 0.5));
    guides.push({
      axis: "y", at: y.at, from: Math.min(moved.x, ...line.map((other) => other.x)),
      to: Math.max(moved.x + moved.w, ...line.map((other) => other.x + other.w)),
    });
  }
  return { dx: x?.shift ?? 0, dy: y?.shift ?? 0, guides };
}

function stops(at: number, size: number): [number, number, number] {
  return [at, at + size / 2, at + size];
}

function nearest(mine: number[], theirs: number[][], reach: number): { shift: number; at: number } | null {
  let found: { shift: number; at: number } | null = null;
  for (const other of theirs)
    for (const stop of other)
      for (const own of mine) {
        const shift = stop - own;
        if (Math.abs(shift) <= reach && (found === null || Math.abs(shift) < Math.abs(found.shift))) found = { shift, at: stop };
      }
  return found;
}
