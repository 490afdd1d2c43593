/**
 * The canvas alone: `?n=2000` draws a synthetic drawing, `?file=/corpus/x/compose.yaml` a file. `&paint=plan|live|diff`
 * paints over it, `&problems` marks some, `&layers=all` shows all layers, `&theme=dark`.
 */
import "./bench.css";

import { createRoot } from "react-dom/client";

import { canvasApi } from "../src/app/canvasApi";
import { Canvas } from "../src/canvas/Canvas";
import { useCanvas } from "../src/canvas/state";
import type { NodeId } from "../src/document/types";
import { currentSvg, toPng } from "../src/export/downloads";
import { PrintDrawing } from "../src/export/Print";
import { useLanguage } from "../src/i18n";
import { useDocument } from "../src/store/document";
import { usePaint, type LiveState, type PlannedChange } from "../src/store/paint";
import { useView } from "../src/store/view";
import { install } from "./probe";
import { synthetic } from "./synthetic";

const asked = new URLSearchParams(location.search);
document.documentElement.dataset.theme = asked.get("theme") ?? "light";
document.documentElement.lang = "en";

async function open(): Promise<void> {
  await useLanguage(asked.get("language") ?? "en");
  const file = asked.get("file");
  if (file) useDocument.getState().open(await (await fetch(file)).text(), asked.has("readonly"));
  else
    useDocument.setState({
      drawing: synthetic(Number(asked.get("n") ?? 500), !asked.has("flat")), ready: true, drawnRevision: 0,
    });
  if (asked.get("layers") === "all") {
    const { layers } = useView.getState();
    useView.getState().set({ layers: Object.fromEntries(Object.keys(layers).map((key) => [key, true])) as typeof layers });
  }
  useCanvas.getState().set({ flavours: { private: "private", ovh: "ovh", ibm: "ibm", vmc: "vmc", paris: "private", roubaix: "ovh" } });
  useDocument.subscribe(decorate);
  decorate();
}

let decorated = false;
function decorate(): void {
  const { drawing } = useDocument.getState();
  if (decorated || drawing.nodes.length === 0) return;
  decorated = true;
  const changes: PlannedChange[] = ["create", "update", "replace", "delete", "keep"];
  const states: LiveState[] = ["running", "working", "failed", "pending", "stopped", "drifted"];
  const nodes = drawing.nodes;
  const mode = asked.get("paint");
  if (mode === "plan")
    usePaint.getState().set({
      mode: "plan",
      plan: Object.fromEntries(nodes.map(({ id }, at) => [id, { change: changes[at % 5]!, causes: ["image"], dataLoss: at % 10 === 3 }])),
    });
  if (mode === "live")
    usePaint.getState().set({
      mode: "live",
      live: Object.fromEntries(nodes.map(({ id }, at) => [id, { state: states[at % 6]!, message: "", percent: at % 6 === 1 ? 40 : null }])),
    });
  if (mode === "diff")
    usePaint.getState().set({
      mode: "diff", diff: Object.fromEntries(nodes.map(({ id }, at) => [id, (["added", "removed", "changed"] as const)[at % 3]!])),
    });
  if (asked.has("problems")) {
    const problems: Record<NodeId, never[]> = {};
    nodes.forEach(({ id }, at) => {
      if (at % 7 === 2) problems[id] = [{ severity: at % 2 ? "error" : "warning", code: "x", text: "x", path: [], source: "drawing" }] as never[];
    });
    usePaint.getState().set({ problems });
  }
}

createRoot(document.getElementById("root")!).render(<><Canvas /><PrintDrawing title="Shop" version="Version 3" /></>);
void open();

const viewport = () => document.querySelector<HTMLElement>(".react-flow__viewport")!;
install({
  ready: () => {
    const nodes = document.querySelectorAll(".react-flow__node");
    return nodes.length > 0 && getComputedStyle(nodes[nodes.length - 1]!).visibility === "visible";
  },
  view: () => {
    const { m41, m42, a } = new DOMMatrixReadOnly(getComputedStyle(viewport()).transform);
    return { x: m41, y: m42, zoom: a };
  },
  grip: () => {
    // A head of a group or a card near the middle, whatever the level shows.
    const grips = [...document.querySelectorAll<HTMLElement>(".d-level-0 .d-group-head, .d-level-1 .d-group-head, .d-card")];
    const middle = (element: HTMLElement) => {
      const box = element.getBoundingClientRect();
      return Math.hypot(box.left + box.width / 2 - innerWidth / 2, box.top + box.height / 2 - innerHeight / 2);
    };
    return grips.sort((a, b) => middle(a) - middle(b))[0]!;
  },
});
Object.assign(window.__bench, {
  currentSvg, toPng,
  /** The better layout is there, or none comes. */
  near: () => {
    useView.getState().show("service:n22");
    setTimeout(() => canvasApi.zoom("actual"), 800);
  },
  settled: () => !useCanvas.getState().arranging, useDocument, useView, useCanvas, usePaint });
