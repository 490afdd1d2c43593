import {
  Background, BackgroundVariant, ConnectionMode, ReactFlow, SelectionMode, useStore, type AriaLabelConfig, type Viewport,
} from "@xyflow/react";
import { lazy, Suspense, useEffect, useMemo, useRef, useState } from "react";

import type { Drawing, NodeId } from "../document/types";
import { currentLanguage, t } from "../i18n";
import { GRID, type Rect } from "../layout/geometry";
import { extent } from "../layout/outside";
import { useDocument } from "../store/document";
import { usePaint } from "../store/paint";
import { useView } from "../store/view";
import { Controls } from "./Controls";
import { Bundles } from "./edges/Bundles";
import { Flow } from "./edges/Flow";
import { Guides } from "./Guides";
import { Minimap } from "./Minimap";
import { Card } from "./nodes/Card";
import { Group, Outside, Tile } from "./nodes/Group";
import { Small } from "./nodes/Small";
import { sceneBuilder } from "./scene";
import { useCanvas } from "./state";
import { planOf } from "./units";
import { useApi } from "./useApi";
import { useDetail } from "./useDetail";
import { useGestures } from "./useGestures";
import { useRoom } from "./useRoom";
import { usageOf } from "./usage";
import { firstViewport, seen, ZOOM } from "./viewport";

const ContextMenu = lazy(() => import("./ContextMenu"));

const NODE_TYPES = { card: Card, small: Small, frame: Group, tile: Tile, outside: Outside };
const EDGE_TYPES = { flow: Flow };
const SNAP: [number, number] = [GRID, GRID];
const ADDING_KEYS = ["Meta", "Control", "Shift"];
const HIDDEN_ATTRIBUTION = { hideAttribution: true };
const EMPTY: Drawing = { name: "", nodes: [], edges: [], published: [], problems: [], lines: 0 };

export function Board({ size }: { size: { width: number; height: number } }) {
  const drawing = useCanvas((canvas) => canvas.drawing) ?? EMPTY;
  const geometry = useCanvas((canvas) => canvas.geometry);
  const byId = useCanvas((canvas) => canvas.nodesById);
  const overrides = useCanvas((canvas) => canvas.overrides);
  const layers = useView((view) => view.layers);
  const selected = useView((view) => view.selection);
  const selectedLines = useView((view) => view.selectedEdges);
  const problems = usePaint((paint) => paint.problems);
  const readOnly = useDocument((state) => state.readOnly);

  const [start] = useState(() => {
    const viewport: Viewport = firstViewport(extent(drawing, geometry, layers), size);
    return { viewport, zoom: viewport.zoom, view: seen(viewport, size) };
  });
  const plan = useMemo(() => planOf(geometry), [geometry]);
  const detail = useDetail(plan, start);
  const usage = useMemo(() => usageOf(drawing), [drawing]);
  const selection = useMemo(() => new Set<NodeId>(selected), [selected]);
  const selectedEdges = useMemo(() => new Set(selectedLines), [selectedLines]);
  const language = currentLanguage();
  const [build] = useState(sceneBuilder);
  const scene = useMemo(
    () => build({
      drawing, byId, geometry, plan, detail, layers, selection, selectedEdges, overrides, problems, usage, readOnly,
      words: language === "fr" ? 1 : 0,
    }),
    [build, drawing, byId, geometry, plan, detail, layers, selection, selectedEdges, overrides, problems, usage, readOnly, language],
  );
  const whole = useMemo(() => extent(drawing, geometry, layers), [drawing, geometry, layers]);
  const root = useRef<HTMLDivElement>(null);
  const gestures = useGestures(root);
  useApi(root, whole);
  useEffect(() => root.current?.setAttribute("data-level", String(detail.level)), [detail.level]);

  return (
    <div className="d-flow" ref={root} onKeyDown={gestures.onKeyDown}>
      <ReactFlow
        nodes={scene.nodes} edges={scene.edges} nodeTypes={NODE_TYPES} edgeTypes={EDGE_TYPES} defaultViewport={start.viewport}
        minZoom={ZOOM.min} maxZoom={ZOOM.max} zIndexMode="manual" elevateNodesOnSelect={false} elevateEdgesOnSelect={false}
        connectionMode={ConnectionMode.Strict} connectionRadius={24} deleteKeyCode={null} selectionKeyCode="Shift"
        multiSelectionKeyCode={ADDING_KEYS} selectionMode={SelectionMode.Partial} snapToGrid snapGrid={SNAP}
        nodesDraggable={!readOnly} nodesConnectable={!readOnly} zoomOnDoubleClick={false} proOptions={HIDDEN_ATTRIBUTION}
        ariaLabelConfig={ariaWords(language)} aria-label={t("canvas.label")} {...gestures.flow}
      >
        <Dots />
        <Bundles bundles={scene.bundles} plan={plan} level={detail.level} />
        <Guides />
        <Minimap extent={whole} />
        <Controls />
        <Markers />
        <Room whole={whole} />
      </ReactFlow>
      <Suspense><ContextMenu /></Suspense>
    </div>
  );
}

/** Dots to measure by; from afar they would be a grey veil that costs frames. */
function Dots() {
  const near = useStore((state) => state.transform[2] > 0.5);
  return near ? <Background variant={BackgroundVariant.Dots} gap={2 * GRID} size={1.2} /> : null;
}

/** The window follows the canvas's size; in a part of its own, since that size changes without any other reason to draw. */
function Room({ whole }: { whole: Rect }) {
  useRoom(whole);
  return null;
}

function Markers() {
  return (
    <svg className="d-markers" aria-hidden="true">
      <defs>
        <marker id="d-arrow" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="9" markerHeight="9" markerUnits="userSpaceOnUse" orient="auto-start-reverse">
          <path d="M1 1L9 5L1 9" />
        </marker>
      </defs>
    </svg>
  );
}

const wordsByLanguage = new Map<string, Partial<AriaLabelConfig>>();

function ariaWords(language: string): Partial<AriaLabelConfig> {
  const known = wordsByLanguage.get(language);
  if (known) return known;
  const words: Partial<AriaLabelConfig> = {
    "node.a11yDescription.default": t("canvas.help_node"),
    "node.a11yDescription.keyboardDisabled": t("canvas.help_node"),
    "node.a11yDescription.ariaLiveMessage": ({ x, y }) => t("canvas.moved", { x, y }),
    "edge.a11yDescription.default": t("canvas.help_edge"),
    "controls.ariaLabel": t("canvas.zoom"),
    "controls.zoomIn.ariaLabel": t("canvas.zoom_in"),
    "controls.zoomOut.ariaLabel": t("canvas.zoom_out"),
    "controls.fitView.ariaLabel": t("canvas.fit"),
    "minimap.ariaLabel": t("canvas.minimap"),
    "handle.ariaLabel": t("canvas.handle"),
  };
  wordsByLanguage.set(language, words);
  return words;
}
