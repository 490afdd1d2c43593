import { create } from "zustand";

import { api, take, takeAll, type Schemas } from "../api/client";
import type { Drawing, DrawingDiff, DrawingEdge, DrawingNode, NodeId } from "../document/types";
import { type DiffChange, usePaint } from "../store/paint";
import { useDocument } from "../store/document";
import { useView } from "../store/view";
import { ask } from "../workers/client";

export type Version = Pick<Schemas["Version"], "id" | "number" | "message" | "created_at" | "compose"> & { created_by?: string | null };

/** One of two texts that are compared: a version, or what is drawn now. */
export type Side = number | "now";

interface DiffState {
  before: Side | null;
  after: Side;
  /** Texts of the two sides. */
  texts: { before: string; after: string } | null;
  diff: DrawingDiff | null;
  /** Nodes of the older side that the newer one lacks. */
  removedNodes: DrawingNode[];
}

const NONE = { before: null, after: "now" as Side, texts: null, diff: null, removedNodes: [] };

export const useDiff = create<DiffState>()(() => NONE);

export function loadVersions(blueprint: string, cursor?: string) {
  return take(api.GET("/api/v1/blueprints/{id}/versions/", { params: { path: { id: blueprint }, query: { limit: 30, cursor } } }));
}

export function allVersions(blueprint: string): Promise<Version[]> {
  return takeAll((cursor) => api.GET("/api/v1/blueprints/{id}/versions/", { params: { path: { id: blueprint }, query: { limit: 100, cursor } } }));
}

let latest = 0;

/** Compare two texts and paint the difference; an older comparison that comes later is dropped. */
export async function compareTexts(before: Side, after: Side, texts: { before: string; after: string }): Promise<void> {
  const number = ++latest;
  const read = await Promise.all([
    ask({ ask: "compare", before: texts.before, after: texts.after }),
    ask({ ask: "derive", text: texts.before }),
    ask({ ask: "derive", text: texts.after }),
  ]).catch(() => null);
  if (number !== latest) return;
  if (read === null) return useView.getState().say({ key: "document.failed" }, "refused");
  const [diff, older, newer] = read;
  const removed = new Set<NodeId>(diff.nodes.filter(({ change }) => change === "removed").map(({ id }) => id));
  const removedNodes = older.ok ? older.drawing.nodes.filter(({ id }) => removed.has(id)) : [];
  useDiff.setState({ before, after, texts, diff, removedNodes });
  const byNode: Record<NodeId, DiffChange> = {};
  for (const { id, change } of diff.nodes) byNode[id] = change;
  const byEdge: Record<string, "added" | "removed"> = {};
  for (const { id, change } of diff.edges) byEdge[id] = change;
  const compared = newer.ok ? together(newer.drawing, removedNodes, older.ok ? older.drawing.edges : [], byEdge) : null;
  usePaint.getState().set({ mode: "diff", diff: byNode, diffEdges: byEdge, compared });
  // Old versions are looked at; what is drawn now can be changed under the paint.
  useDocument.setState({ looking: after !== "now" });
}

/** The newer drawing with what was removed from the older one, so that both can be seen in one picture. */
export function together(newer: Drawing, removed: DrawingNode[], edges: DrawingEdge[], changes: Record<string, "added" | "removed">): Drawing {
  const known = new Set<NodeId>([...newer.nodes, ...removed].map(({ id }) => id));
  const ghosts = removed.map((node) => (node.parent !== null && !known.has(node.parent) ? { ...node, parent: null, at: null } : node));
  const lines = edges.filter(({ id, source, target }) => changes[id] === "removed" && known.has(source) && known.has(target));
  return { ...newer, nodes: [...newer.nodes, ...ghosts], edges: [...newer.edges, ...lines] };
}

/** Take the comparison off the canvas. */
export function endComparison(): void {
  latest++;
  useDiff.setState(NONE);
  useDocument.setState({ looking: false });
  const { mode, set } = usePaint.getState();
  set({ diff: {}, diffEdges: {}, compared: null, ...(mode === "diff" ? { mode: "none" } : {}) });
}

/** Put the text of an older version in place of the present one; undo takes it back, saving makes it a version. */
export function restore(version: Version): void {
  endComparison();
  useDocument.getState().put(version.compose, { key: "editor.restore_version", params: { version: version.number } });
}
