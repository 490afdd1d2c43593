import { useReactFlow, useStoreApi } from "@xyflow/react";
import { memo, useEffect, useMemo, useRef, useState } from "react";

import type { NodeId } from "../document/types";
import { t } from "../i18n";
import { isGroupId, kindOf, type Rect } from "../layout/geometry";
import { hiddenKind } from "../layout/outside";
import { usePaint } from "../store/paint";
import { useView } from "../store/view";
import { worst } from "./nodes/marks";
import { useCanvas } from "./state";

const WIDTH = 180;
const HEIGHT = 120;
const COLOURS = ["line", "card", "small", "error", "warning"] as const;

/** The whole drawing in small, with what is wrong marked; pointing and dragging move the window over it. */
export const Minimap = memo(function Minimap({ extent }: { extent: Rect }) {
  const picture = useRef<HTMLCanvasElement>(null);
  const window_ = useRef<HTMLDivElement>(null);
  const store = useStoreApi();
  const flow = useReactFlow();
  const geometry = useCanvas((canvas) => canvas.geometry);
  const problems = usePaint((paint) => paint.problems);
  const layers = useView((view) => view.layers);
  const theme = useTheme();
  const area = useMemo(() => {
    const scale = Math.min(WIDTH / Math.max(1, extent.w), HEIGHT / Math.max(1, extent.h)) * 0.92;
    return { scale, x: (WIDTH - extent.w * scale) / 2 - extent.x * scale, y: (HEIGHT - extent.h * scale) / 2 - extent.y * scale };
  }, [extent]);

  useEffect(() => {
    const paint = picture.current?.getContext("2d");
    if (!paint || !picture.current) return;
    const sharp = Math.min(2, devicePixelRatio);
    picture.current.width = WIDTH * sharp;
    picture.current.height = HEIGHT * sharp;
    const sample = picture.current.nextElementSibling as HTMLElement;
    const colour = (name: string) => {
      // A canvas knows no custom properties: the colour is resolved on an element.
      sample.style.color = `var(${name})`;
      return getComputedStyle(sample).color;
    };
    const colours = Object.fromEntries(COLOURS.map((name) => [name, colour(`--d-map-${name}`)])) as Record<(typeof COLOURS)[number], string>;
    paint.setTransform(area.scale * sharp, 0, 0, area.scale * sharp, area.x * sharp, area.y * sharp);
    for (const [id, box] of geometry.boxes) {
      if (hiddenKind(kindOf(id), layers)) continue;
      if (isGroupId(id)) {
        paint.strokeStyle = colours.line;
        paint.lineWidth = 1 / area.scale;
        paint.strokeRect(box.ax, box.ay, box.w, box.h);
      } else {
        paint.fillStyle = colours[id.startsWith("service:") ? "card" : "small"];
        paint.fillRect(box.ax, box.ay, box.w, box.h);
      }
    }
    // Problems last and large: a triangle for warnings, a square for errors, so that the shape tells too.
    for (const [id, mine] of Object.entries(problems)) {
      const box = geometry.boxes.get(id as NodeId) ?? geometry.boxes.get(geometry.hosts.get(id as NodeId) ?? ("" as NodeId));
      if (!box || mine.length === 0) continue;
      const severity = worst(mine);
      if (severity === "info") continue;
      const size = 4 / area.scale;
      const x = box.ax + box.w / 2;
      const y = box.ay + Math.min(box.h / 2, 60);
      paint.fillStyle = colours[severity === "error" ? "error" : "warning"];
      paint.beginPath();
      if (severity === "error") paint.rect(x - size, y - size, 2 * size, 2 * size);
      else {
        paint.moveTo(x, y - size);
        paint.lineTo(x + size, y + size);
        paint.lineTo(x - size, y + size);
      }
      paint.fill();
    }
  }, [geometry, problems, area, layers, theme]);

  useEffect(() => {
    const show = () => {
      const { transform, width, height } = store.getState();
      const [x, y, zoom] = transform;
      const element = window_.current;
      if (!element) return;
      const w = (width / zoom) * area.scale;
      const h = (height / zoom) * area.scale;
      element.style.transform = `translate(${(-x / zoom) * area.scale + area.x}px,${(-y / zoom) * area.scale + area.y}px)`;
      element.style.width = `${w}px`;
      element.style.height = `${h}px`;
    };
    show();
    return store.subscribe((state, before) => {
      if (state.transform !== before.transform || state.width !== before.width) show();
    });
  }, [store, area]);

  const go = (event: React.PointerEvent<HTMLDivElement>) => {
    const box = event.currentTarget.getBoundingClientRect();
    const x = (event.clientX - box.left - area.x) / area.scale;
    const y = (event.clientY - box.top - area.y) / area.scale;
    void flow.setCenter(x, y, { zoom: flow.getZoom() });
  };
  return (
    <div
      className="d-minimap nokey nopan" role="img" aria-label={t("canvas.minimap")}
      onPointerDown={(event) => {
        event.currentTarget.setPointerCapture(event.pointerId);
        go(event);
      }}
      onPointerMove={(event) => {
        if (event.buttons === 1) go(event);
      }}
    >
      <canvas ref={picture} />
      <div className="d-minimap-window" ref={window_} />
    </div>
  );
});

/** Grows when light turns to dark or back: a picture does not follow by itself. */
function useTheme(): number {
  const [theme, setTheme] = useState(0);
  useEffect(() => {
    const changed = () => setTheme((before) => before + 1);
    const query = matchMedia("(prefers-color-scheme: dark)");
    const observer = new MutationObserver(changed);
    observer.observe(document.documentElement, { attributes: true, attributeFilter: ["data-theme"] });
    query.addEventListener("change", changed);
    return () => {
      observer.disconnect();
      query.removeEventListener("change", changed);
    };
  }, []);
  return theme;
}
