import { useStoreApi, type EdgeProps, type ReactFlowState } from "@xyflow/react";
import { memo } from "react";

import type { Rect } from "../../layout/geometry";
import { way } from "../../layout/paths";
import { usePaint } from "../../store/paint";
import type { CanvasEdge } from "../scene";

/**
 * One edge between two cards. React Flow renders it again whenever an end moves; the way is found from the boxes, so
 * that it leaves on the side which faces the target.
 */
export const Flow = memo(function Flow({ id, source, target, data }: EdgeProps<CanvasEdge>) {
  const store = useStoreApi();
  const change = usePaint((paint) => (paint.mode === "diff" ? paint.diffEdges[id] : undefined));
  const from = rectOf(store.getState(), source);
  const to = rectOf(store.getState(), target);
  if (!from || !to) return null;
  const { d, x, y, hangs } = way(from, to);
  const label = change === undefined ? data?.label : `${change === "added" ? "+" : "−"} ${data?.label ?? ""}`;
  return (
    <>
      <path className="react-flow__edge-interaction d-edge-reach" d={d} />
      <path className={`react-flow__edge-path d-edge-path ${change ? `d-edge-${change}` : ""}`} d={d} markerEnd="url(#d-arrow)" />
      {label && !hangs ? <text className="d-edge-label" x={x} y={y}>{label}</text> : null}
    </>
  );
});

function rectOf(state: ReactFlowState, id: string): Rect | null {
  const node = state.nodeLookup.get(id);
  if (!node) return null;
  const { x, y } = node.internals.positionAbsolute;
  return { x, y, w: node.measured.width ?? node.width ?? 0, h: node.measured.height ?? node.height ?? 0 };
}
