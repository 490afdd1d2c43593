import { useReactFlow, useStore, useStoreApi } from "@xyflow/react";
import { useEffect, useRef, type RefObject } from "react";

import { canvasApi } from "../app/canvasApi";
import type { NodeId } from "../document/types";
import { shownAs, type Rect } from "../layout/geometry";
import { extent } from "../layout/outside";
import { useView } from "../store/view";
import { align, arrange, boundsOf, distribute, landing } from "./actions";
import { useCanvas } from "./state";
import { firstViewport, seen, viewportFor, ZOOM } from "./viewport";

const CENTRED_ZOOM = 0.85;
/** So much room stays between a card and a panel that opens beside it. */
const BESIDE = 24;

/** Fill in what the canvas does for the parts around it, and follow wishes to show something. */
export function useApi(root: RefObject<HTMLDivElement | null>, whole: Rect): void {
  const flow = useReactFlow();
  const store = useStoreApi();
  const wish = useView((view) => view.wish);
  const fitWish = useView((view) => view.fitWish);
  const latest = useRef(whole);
  /** How the window follows the drawing's bounds; null as soon as somebody has moved it. */
  const follows = useRef<"first" | "whole" | null>("first");
  const fitted = useRef(whole);
  latest.current = whole;

  useEffect(() => {
    const size = () => {
      const { width, height } = store.getState();
      return { width, height };
    };
    const go = (rect: Rect, most?: number) => void flow.setViewport(viewportFor(rect, size(), most), { duration: glide() });
    const hit = (x: number, y: number) => {
      const box = root.current?.getBoundingClientRect();
      if (!box || x < box.left || x > box.right || y < box.top || y > box.bottom) return null;
      const at = flow.screenToFlowPosition({ x, y }, { snapToGrid: false });
      return landing("service", [at.x, at.y]);
    };
    const before = { ...canvasApi };
    Object.assign(canvasApi, {
      dropAt: (x, y) => {
        follows.current = null; // what is put somewhere stays under the hand
        return hit(x, y);
      },
      hover: (point) => useCanvas.getState().set({ dropTarget: point ? hit(point.clientX, point.clientY)?.parent ?? null : null }),
      center: () => {
        const view = seen(flow.getViewport(), size());
        return [Math.round(view.x + view.w / 2), Math.round(view.y + view.h / 2)];
      },
      fit: (nodes) => {
        const rect = nodes && nodes.length > 0 ? boundsOf(nodes) : latest.current;
        if (rect) go(rect, nodes && nodes.length > 0 ? 1.2 : undefined);
      },
      zoom: (direction) => {
        if (direction === "in") void flow.zoomIn({ duration: glide() });
        else if (direction === "out") void flow.zoomOut({ duration: glide() });
        else void flow.zoomTo(1, { duration: glide() });
      },
      arrange: async (nodes) => {
        if (!(await arrange(nodes)) || (nodes && nodes.length > 0)) return;
        // The better layout that may come has other bounds: they are followed too.
        follows.current = "whole";
        const { drawing, geometry } = useCanvas.getState();
        if (drawing) go(extent(drawing, geometry, useView.getState().layers));
      },
      align, distribute,
      placeOf: (node) => {
        const box = useCanvas.getState().geometry.boxes.get(node);
        return box ? { at: [box.x, box.y], size: [box.w, box.h] } : null;
      },
    } satisfies typeof canvasApi);
    return () => {
      Object.assign(canvasApi, before);
    };
  }, [flow, store, root]);

  useEffect(() => {
    if (!wish) return;
    const { geometry } = useCanvas.getState();
    const id: NodeId | null = shownAs(geometry, wish.node);
    const box = id === null ? undefined : geometry.boxes.get(id);
    if (!box) return;
    const { width, height, transform } = store.getState();
    const fits = Math.min(width / (box.w + 64), height / (box.h + 64), ZOOM.max);
    const zoom = Math.min(Math.max(transform[2], CENTRED_ZOOM), fits);
    void flow.setCenter(box.ax + box.w / 2, box.ay + box.h / 2, { zoom, duration: glide() });
    follows.current = null;
  }, [wish, flow, store]);

  useEffect(() => {
    if (fitWish > 0) canvasApi.fit();
  }, [fitWish]);

  // A panel that opens for a card must not cover it.
  const width = useStore((state) => state.width);
  const wide = useRef(width);
  useEffect(() => {
    const before = wide.current;
    wide.current = width;
    const { selection } = useView.getState();
    const { geometry } = useCanvas.getState();
    const id = selection.length === 1 && selection[0] ? shownAs(geometry, selection[0]) : null;
    const box = id === null ? undefined : geometry.boxes.get(id);
    if (!box || width === 0 || width >= before) return;
    const { x, y, zoom } = flow.getViewport();
    const over = (box.ax + box.w) * zoom + x + BESIDE - width;
    const room = box.ax * zoom + x - BESIDE; // its beginning is read first
    const by = Math.min(over, room);
    if (by > 0) void flow.setViewport({ x: x - by, y, zoom }, { duration: glide() });
  }, [width, flow]);

  // Until somebody has moved the window, it follows the drawing: the better layout may have other bounds.
  useEffect(() => {
    const moved = () => {
      follows.current = null;
    };
    const element = root.current;
    element?.addEventListener("wheel", moved, { passive: true });
    element?.addEventListener("pointerdown", moved);
    return () => {
      element?.removeEventListener("wheel", moved);
      element?.removeEventListener("pointerdown", moved);
    };
  }, [root]);
  useEffect(() => {
    const was = fitted.current;
    if (was.x === whole.x && was.y === whole.y && was.w === whole.w && was.h === whole.h) return;
    fitted.current = whole;
    const { width, height } = store.getState();
    if (follows.current === null || width === 0) return;
    void flow.setViewport((follows.current === "first" ? firstViewport : viewportFor)(whole, { width, height }));
  }, [whole, flow, store]);
}

function glide(): number {
  return typeof matchMedia !== "undefined" && matchMedia("(prefers-reduced-motion: reduce)").matches ? 0 : 150;
}
