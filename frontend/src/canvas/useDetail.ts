import { useStoreApi } from "@xyflow/react";
import { useEffect, useMemo, useRef, useState } from "react";

import type { Rect } from "../layout/geometry";
import { approach, levelAt, SMALL_DRAWING, wanted, type Detail, type Plan } from "./units";

/** Nodes that are changed in a frame. */
const BUDGET = { moving: 8, resting: 20 };
/** Without a change of the window for so long, it rests. */
const STILL_MS = 140;
const KEEP_MARGIN = 1;

/**
 * Return how much is on the page, following the window a few nodes a frame: what comes into view is first a summary,
 * then cards, so that no frame has to mount more than it can.
 */
export function useDetail(plan: Plan, start: { zoom: number; view: Rect }): Detail {
  const store = useStoreApi();
  const [detail, setDetail] = useState<Detail>(() => wanted(plan, levelAt(start.zoom, null, plan.size), start.view, 0));
  const now = useRef(detail);
  const latest = useRef(plan);
  const moved = useRef({ pan: 0, zoom: 0 });

  // A new plan knows other units: those that are still there stay, and what small drawings gain is there at once.
  const fitted = useMemo(() => {
    const kept: Detail = {
      level: detail.level,
      near: new Set([...detail.near].filter((id) => plan.units.has(id))),
      open: new Set([...detail.open].filter((id) => plan.units.has(id))),
    };
    const { transform, width, height } = store.getState();
    const [x, y, zoom] = transform;
    const view = width > 0 ? { x: -x / zoom, y: -y / zoom, w: width / zoom, h: height / zoom } : start.view;
    const want = wanted(plan, detail.level, view, 0);
    const budget = plan.size <= SMALL_DRAWING ? Infinity : 60;
    const keep = { ...want, near: new Set([...want.near, ...kept.near]), open: new Set([...want.open, ...kept.open]) };
    return approach(kept, keep, plan, view, budget) ?? kept;
    // The window is looked at when the plan changes; between that the frames below follow it.
  }, [plan, detail, store, start]);
  now.current = fitted;
  latest.current = plan;

  const wake = useRef<() => void>(() => undefined);
  useEffect(() => {
    let frame = 0;
    let rest: ReturnType<typeof setTimeout> | undefined;
    const tick = () => {
      frame = 0;
      const { transform, width, height } = store.getState();
      const [x, y, zoom] = transform;
      if (width === 0) return;
      const view = { x: -x / zoom, y: -y / zoom, w: width / zoom, h: height / zoom };
      const level = levelAt(zoom, now.current.level, latest.current.size);
      const want = wanted(latest.current, level, view);
      const wide = wanted(latest.current, level, view, KEEP_MARGIN);
      // What is a little further away stays if it is there, so that small moves change nothing.
      for (const id of wide.near) if (now.current.near.has(id)) (want.near as Set<string>).add(id);
      for (const id of wide.open) if (now.current.open.has(id)) (want.open as Set<string>).add(id);
      const time = performance.now();
      const resting = time - moved.current.pan > STILL_MS;
      const aim = time - moved.current.zoom > STILL_MS ? want : whileZooming(now.current, want, latest.current);
      const next = approach(now.current, aim, latest.current, view, resting ? BUDGET.resting : BUDGET.moving);
      if (!next) return;
      now.current = next;
      setDetail(next);
      frame = requestAnimationFrame(tick);
    };
    wake.current = () => {
      if (frame === 0) frame = requestAnimationFrame(tick);
    };
    const stop = store.subscribe((state, before) => {
      if (state.transform === before.transform && state.width === before.width && state.height === before.height) return;
      moved.current.pan = performance.now();
      if (state.transform[2] !== before.transform[2]) moved.current.zoom = moved.current.pan;
      clearTimeout(rest);
      rest = setTimeout(wake.current, STILL_MS + 20);
      wake.current();
    });
    wake.current();
    return () => {
      stop();
      cancelAnimationFrame(frame);
      clearTimeout(rest);
    };
  }, [store]);
  useEffect(() => wake.current(), [plan]);
  return fitted;
}

/** While one zooms, what is there is scaled as it is; only where nothing is a summary is put. The rest follows at rest. */
function whileZooming(now: Detail, want: Detail, plan: Plan): Detail {
  const near = new Set(now.near);
  for (const id of want.near) {
    const parent = plan.units.get(id)?.parent ?? null;
    if (parent === null || now.open.has(parent)) near.add(id);
  }
  return { level: now.level, near, open: now.open };
}
