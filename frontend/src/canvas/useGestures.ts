import {
  useReactFlow, useStoreApi, type Connection, type EdgeChange, type NodeChange, type OnConnectStartParams, type ReactFlowProps,
} from "@xyflow/react";
import { useCallback, useEffect, useMemo, useRef, type KeyboardEvent, type MouseEvent, type RefObject, type TouchEvent } from "react";

import type { NodeId, Point } from "../document/types";
import { isGroupId, kindOf, type Rect } from "../layout/geometry";
import { useDocument } from "../store/document";
import { useView } from "../store/view";
import { dropped, editable, outermost, override, place, release } from "./actions";
import { connect, targetsOf } from "./connect";
import { alignTo } from "./guides";
import { OUTSIDE } from "../layout/outside";
import type { CanvasEdge, CanvasNode } from "./scene";
import { parentOf, seenAt, useCanvas } from "./state";

const KEYS_SETTLE_MS = 400;
const GUIDE_REACH = 5;
const GUIDED_BY = 200;

type FlowHandlers = Pick<
  ReactFlowProps<CanvasNode, CanvasEdge>,
  | "onNodesChange" | "onEdgesChange" | "onNodeDragStart" | "onNodeDrag" | "onNodeDragStop" | "onConnect" | "onConnectStart"
  | "onConnectEnd" | "onNodeContextMenu" | "onEdgeContextMenu" | "onPaneContextMenu" | "onPaneClick" | "onNodeDoubleClick"
  | "onMoveStart" | "onMoveEnd" | "isValidConnection"
>;

/** What pointer and keys do on the canvas. The text follows at the end of each gesture, as one command. */
export function useGestures(root: RefObject<HTMLDivElement | null>): {
  flow: FlowHandlers;
  onKeyDown: (event: KeyboardEvent) => void;
} {
  const api = useReactFlow();
  const store = useStoreApi();
  const keys = useRef<{ timer: ReturnType<typeof setTimeout> | undefined; ids: Set<NodeId> }>({ timer: undefined, ids: new Set() });
  useEffect(() => () => clearTimeout(keys.current.timer), []);

  /** Node ids of the drawing that a pointer drags now. */
  const dragged = useRef<NodeId[]>([]);

  const settleKeys = useCallback(() => {
    const ids = outermost([...keys.current.ids]);
    keys.current.ids.clear();
    void place(ids.flatMap((id) => {
      const rect = seenAt(id);
      return rect ? [{ id, rect }] : [];
    }), false);
  }, []);

  const onNodesChange = useCallback((changes: NodeChange<CanvasNode>[]) => {
    const moves = new Map<NodeId, { x: number; y: number; w?: number; h?: number }>();
    const chosen: { id: NodeId; selected: boolean }[] = [];
    for (const change of changes) {
      if (change.type === "select") chosen.push({ id: change.id as NodeId, selected: change.selected });
      else if (change.type === "position" && change.position && editable())
        moves.set(change.id as NodeId, { ...moves.get(change.id as NodeId), ...change.position });
      else if (change.type === "dimensions" && change.dimensions && change.resizing) {
        const id = change.id as NodeId;
        const box = useCanvas.getState().geometry.boxes.get(id);
        const at = moves.get(id) ?? useCanvas.getState().overrides.get(id) ?? box;
        if (at) moves.set(id, { x: at.x, y: at.y, w: change.dimensions.width, h: change.dimensions.height });
      }
    }
    if (chosen.length > 0) choose(chosen, store.getState().multiSelectionActive, store.getState().userSelectionActive);
    if (moves.size === 0) return;
    const { dragging } = useCanvas.getState();
    if (dragging) guide(moves, store.getState().transform[2]);
    override(moves);
    const resizing = [...moves.values()].some((move) => move.w !== undefined);
    if (dragging || resizing || dragged.current.length > 0) return;
    // Arrow keys: what is pressed in quick succession is one step.
    for (const id of moves.keys()) keys.current.ids.add(id);
    clearTimeout(keys.current.timer);
    keys.current.timer = setTimeout(settleKeys, KEYS_SETTLE_MS);
  }, [store, settleKeys]);

  const onEdgesChange = useCallback((changes: EdgeChange<CanvasEdge>[]) => {
    const { selection, selectedEdges, select } = useView.getState();
    const next = new Set(selectedEdges);
    let base = selection;
    // Marking cards by a box does not mean their edges; a click on an edge means only the edge.
    if (store.getState().userSelectionActive) return;
    for (const change of changes) {
      if (change.type !== "select" || change.id.startsWith(OUTSIDE)) continue;
      if (change.selected) {
        if (!store.getState().multiSelectionActive) {
          next.clear();
          base = [];
        }
        next.add(change.id);
      } else next.delete(change.id);
    }
    select(base, [...next]);
  }, [store]);

  const flow = useMemo<FlowHandlers>(() => {
    const moving = (on: boolean) => {
      root.current?.classList.toggle("d-moving", on);
      useCanvas.getState().set({ moving: on });
    };
    const openMenu = (event: { clientX: number; clientY: number }, target: { node: NodeId } | { edge: string } | null) => {
      const at = api.screenToFlowPosition({ x: event.clientX, y: event.clientY });
      useCanvas.getState().set({ menu: { x: event.clientX, y: event.clientY, at: [at.x, at.y], target } });
    };
    const pointerOf = (event: globalThis.MouseEvent | globalThis.TouchEvent | MouseEvent | TouchEvent): Point => {
      const { clientX, clientY } = "changedTouches" in event ? event.changedTouches[0]! : event;
      const at = api.screenToFlowPosition({ x: clientX, y: clientY }, { snapToGrid: false });
      return [at.x, at.y];
    };
    return {
      onNodesChange, onEdgesChange,
      onNodeDragStart: (_, node, nodes) => {
        dragged.current = (nodes.length > 0 ? nodes : [node]).map((one) => one.id as NodeId);
        root.current?.classList.add("d-dragging");
        useCanvas.getState().set({ dragging: true });
      },
      onNodeDrag: (event, node) => {
        const id = node.id as NodeId;
        const rect = seenAt(id);
        const kind = kindOf(id);
        if (!rect || (kind !== "service" && kind !== "machine")) return;
        const { dropTarget } = useCanvas.getState();
        const over = dropped(kind, rect, pointerOf(event), new Set(dragged.current));
        if (over !== dropTarget) useCanvas.getState().set({ dropTarget: over });
      },
      onNodeDragStop: (event, node) => {
        const ids = outermost(dragged.current);
        dragged.current = [];
        root.current?.classList.remove("d-dragging");
        useCanvas.getState().set({ dragging: false, dropTarget: null, guides: [] });
        const { geometry } = useCanvas.getState();
        const moved = ids.flatMap((id) => {
          const rect = seenAt(id);
          const box = geometry.boxes.get(id);
          return rect && box && (rect.x !== box.ax || rect.y !== box.ay) ? [{ id, rect }] : [];
        });
        if (moved.length === 0) release(ids);
        else void place(moved, true, { id: node.id as NodeId, at: pointerOf(event) });
      },
      onConnectStart: (_, params: OnConnectStartParams) => {
        const { drawing } = useDocument.getState();
        if (!params.nodeId) return;
        const source = params.nodeId as NodeId;
        useCanvas.getState().set({ connecting: { source, allowed: new Set(targetsOf(drawing, source).map((node) => node.id)) } });
        root.current?.classList.add("d-connecting");
      },
      // All are let through: what may not be is refused with the reason, not in silence.
      isValidConnection: () => true,
      onConnect: (connection: Connection) => void connect(connection.source as NodeId, connection.target as NodeId),
      onConnectEnd: () => {
        useCanvas.getState().set({ connecting: null });
        root.current?.classList.remove("d-connecting");
      },
      onNodeContextMenu: (event, node) => {
        event.preventDefault();
        const id = node.id as NodeId;
        const { selection, select } = useView.getState();
        if (!selection.includes(id)) select([id]);
        openMenu(event, { node: id });
      },
      onEdgeContextMenu: (event, edge) => {
        event.preventDefault();
        if (edge.id.startsWith(OUTSIDE)) return;
        useView.getState().select([], [edge.id]);
        openMenu(event, { edge: edge.id });
      },
      onPaneContextMenu: (event) => {
        event.preventDefault();
        openMenu(event as globalThis.MouseEvent, null);
      },
      onPaneClick: () => {
        useView.getState().select([]);
        useCanvas.getState().set({ menu: null });
      },
      onNodeDoubleClick: (event, node) => {
        if (!editable() || isGroupTitleFarAway(node)) return;
        event.preventDefault();
        useView.getState().select([node.id as NodeId]);
        useView.getState().set({ dialog: "rename" });
      },
      onMoveStart: (event) => {
        if (event) moving(true);
      },
      onMoveEnd: () => moving(false),
    };
  }, [api, root, onNodesChange, onEdgesChange]);

  const onKeyDown = useCallback((event: KeyboardEvent) => {
    const target = event.target as HTMLElement;
    if (target.closest("input, textarea, [role=menu]")) return;
    const { selection } = useView.getState();
    if (event.key === "ContextMenu" || (event.key === "F10" && event.shiftKey)) {
      event.preventDefault();
      const holder = target.closest<HTMLElement>(".react-flow__node") ?? target;
      const id = holder.dataset.id as NodeId | undefined;
      if (id && !selection.includes(id)) useView.getState().select([id]);
      const box = holder.getBoundingClientRect();
      const x = box.left + Math.min(box.width / 2, 160);
      const y = box.top + Math.min(box.height / 2, 60);
      const at = api.screenToFlowPosition({ x, y });
      const any = id !== undefined || selection.length > 0;
      useCanvas.getState().set({ menu: { x, y, at: [at.x, at.y], target: any ? { node: id ?? selection[0]! } : null } });
    } else if (event.key.toLowerCase() === "f" && !event.ctrlKey && !event.metaKey && !event.altKey && !event.shiftKey) {
      event.preventDefault();
      useView.getState().fit();
    }
  }, [api]);

  return { flow, onKeyDown };
}

function isGroupTitleFarAway(node: CanvasNode): boolean {
  return node.type === "tile" || node.type === "outside";
}

/** Take over what React Flow says is selected; it knows only what is on the page. */
function choose(changes: readonly { id: NodeId; selected: boolean }[], adding: boolean, box: boolean): void {
  const { selection, selectedEdges, select } = useView.getState();
  const { geometry } = useCanvas.getState();
  const fresh = !adding && !box && changes.some((change) => change.selected);
  const next = new Set(fresh ? [] : selection);
  for (const { id, selected } of changes) {
    if (!selected) next.delete(id);
    else if (geometry.boxes.has(id) && !(box && isGroupId(id))) next.add(id);
  }
  select([...next], fresh ? [] : selectedEdges);
}

/** Put a single dragged card in line with what stands near it, and show the line. */
function guide(moves: Map<NodeId, { x: number; y: number }>, zoom: number): void {
  const [only] = moves;
  const { geometry, guides, set } = useCanvas.getState();
  if (moves.size !== 1 || !only || zoom < 0.3) {
    if (guides.length > 0) set({ guides: [] });
    return;
  }
  const [id, at] = only;
  const box = geometry.boxes.get(id);
  if (!box) return;
  const parent = parentOf(geometry, id);
  const moving: Rect = { x: at.x, y: at.y, w: box.w, h: box.h };
  const others = (geometry.children.get(parent) ?? [])
    .filter((other) => other !== id)
    .flatMap((other) => geometry.boxes.get(other) ?? [])
    .filter((other) => Math.abs(other.x - at.x) < 1_500 && Math.abs(other.y - at.y) < 1_200)
    .slice(0, GUIDED_BY);
  const found = alignTo(moving, others, GUIDE_REACH);
  moves.set(id, { x: at.x + found.dx, y: at.y + found.dy });
  const origin = { x: box.ax - box.x, y: box.ay - box.y };
  set({
    guides: found.guides.map((line) =>
      line.axis === "x"
        ? { ...line, at: line.at + origin.x, from: line.from + origin.y, to: line.to + origin.y }
        : { ...line, at: line.at + origin.y, from: line.from + origin.x, to: line.to + origin.x }),
  });
}
