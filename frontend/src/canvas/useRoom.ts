import { useReactFlow, useStore } from "@xyflow/react";
import { useEffect, useRef } from "react";

import type { Rect } from "../layout/geometry";
import { useView } from "../store/view";
import { useCanvas } from "./state";
import { roomFor } from "./viewport";

const DURATION_MS = 120;

/** Keep in view what was in view when a panel beside the canvas opens: all of the drawing, or what is selected. */
export function useRoom(whole: Rect): void {
  const width = useStore((state) => state.width);
  const height = useStore((state) => state.height);
  const { getViewport, setViewport } = useReactFlow();
  const before = useRef({ width, height });
  useEffect(() => {
    const last = before.current;
    if (width <= 0 || height <= 0 || (last.width === width && last.height === height)) return;
    before.current = { width, height };
    if (last.width <= 0 || last.height <= 0) return;
    const { geometry } = useCanvas.getState();
    const chosen = useView.getState().selection.flatMap((id) => {
      const box = geometry.boxes.get(id);
      return box ? [{ x: box.ax, y: box.ay, w: box.w, h: box.h }] : [];
    });
    const next = roomFor(getViewport(), last, { width, height }, whole, chosen);
    if (!next) return;
    const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
    void setViewport(next, calm ? undefined : { duration: DURATION_MS });
  }, [width, height, whole, getViewport, setViewport]);
}
