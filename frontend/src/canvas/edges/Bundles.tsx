import { ViewportPortal } from "@xyflow/react";
import { memo, useMemo } from "react";

import type { NodeId } from "../../document/types";
import { way } from "../../layout/paths";
import { rectOf, type Bundle } from "../scene";
import { parentOf, useCanvas } from "../state";
import type { Level, Plan } from "../units";

/** More numbers than this are noise, and cost frames. */
const COUNTED_UP_TO = 150;
const FONT: Record<Level, number> = { 2: 13, 1: 30, 0: 84 };

/** All edges that do not join two cards on the page, as two paths: those that rest and those that move along. */
export const Bundles = memo(function Bundles({ bundles, plan, level }: { bundles: readonly Bundle[]; plan: Plan; level: Level }) {
  const overrides = useCanvas((canvas) => canvas.overrides);
  const geometry = useCanvas((canvas) => canvas.geometry);
  const ids = [...overrides.keys()].join();
  const moving = useMemo(() => {
    const moved = new Set(ids === "" ? [] : (ids.split(",") as NodeId[]));
    const moves = (id: string): boolean => {
      for (let at: NodeId | null = id as NodeId; at !== null; at = parentOf(geometry, at)) if (moved.has(at)) return true;
      return false;
    };
    return new Set(moved.size === 0 ? [] : bundles.filter((bundle) => moves(bundle.from) || moves(bundle.to)));
  }, [ids, bundles, geometry]);

  const rest = useMemo(() => draw(bundles.filter((bundle) => !moving.has(bundle)), plan), [bundles, moving, plan, geometry]);
  const along = moving.size > 0 ? draw([...moving], plan) : null;
  const counts = [...rest.counts, ...(along?.counts ?? [])];
  return (
    <ViewportPortal>
      <svg className={`d-bundles d-bundles-${level}`} aria-hidden="true">
        <path d={rest.d} />
        {along ? <path d={along.d} /> : null}
        {counts.length <= COUNTED_UP_TO
          ? counts.map(({ key, x, y, count }) => <text key={key} x={x} y={y} style={{ fontSize: FONT[level] }}>{count}</text>)
          : null}
      </svg>
    </ViewportPortal>
  );
});

function draw(bundles: readonly Bundle[], plan: Plan): { d: string; counts: { key: string; x: number; y: number; count: number }[] } {
  const parts: string[] = [];
  const counts: { key: string; x: number; y: number; count: number }[] = [];
  for (const { from, to, count, begins } of bundles) {
    const a = begins ?? rectOf(plan, from);
    const b = rectOf(plan, to);
    if (!a || !b) continue;
    const { d, x, y } = way(a, b);
    parts.push(d);
    if (count > 1) counts.push({ key: `${from}>${to}`, x, y, count });
  }
  return { d: parts.join(""), counts };
}
