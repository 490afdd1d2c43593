import { create } from "zustand";

import type { EdgeKind, Message, NodeId, Span } from "../document/types";

export type SidePanel = "inspector" | "problems" | "plan" | "live" | "versions" | "comments" | null;

/** What is looked at and how; nothing of it is part of the document. */
interface ViewState {
  selection: NodeId[];
  selectedEdges: string[];
  /** Kinds of edges that are drawn; the nodes of volumes, networks, configs and secrets go with theirs. */
  layers: Record<EdgeKind | "ports", boolean>;
  panel: SidePanel;
  /** Somebody has closed the panel: selecting a card does not open it again. */
  panelClosed: boolean;
  showYaml: boolean;
  showPalette: boolean;
  showOutline: boolean;
  /** On a phone one of these has the screen. */
  phoneTab: "canvas" | "yaml" | "panel" | "outline";
  /** Bring a node into view; `n` makes a second wish for the same node a new one. */
  wish: { node: NodeId; n: number } | null;
  fitWish: number;
  /** Show this part of the text. */
  goto: { span: Span; focus: boolean; n: number } | null;
  /** What was just done, or why it was not, for the live region. */
  said: { message: Message | string; n: number; tone: "plain" | "refused" } | null;
  dialog: "commands" | "shortcuts" | "templates" | "import" | "export" | "share" | "save" | "conflict" | "remove" | "deploy" | "destroy" | "tour" | "rename" | "group" | "connect" | null;

  /** What was asked for and waits for the drawing to be saved; dropped when saving is given up. */
  afterSave: (() => void) | null;

  select: (nodes: NodeId[], edges?: string[]) => void;
  show: (node: NodeId) => void;
  fit: () => void;
  goTo: (span: Span, focus?: boolean) => void;
  say: (message: Message | string, tone?: "plain" | "refused") => void;
  set: (state: Partial<ViewState>) => void;
}

export const useView = create<ViewState>()((set, get) => ({
  selection: [],
  selectedEdges: [],
  layers: { depends_on: true, network: false, volume: true, config: false, secret: false, link: true, ports: true },
  panel: null,
  panelClosed: false,
  showYaml: true,
  showPalette: true,
  showOutline: false,
  phoneTab: "canvas",
  wish: null,
  fitWish: 0,
  goto: null,
  said: null,
  dialog: null,
  afterSave: null,

  select: (nodes, edges = []) => set({ selection: nodes, selectedEdges: edges, ...opened(get(), nodes.length + edges.length) }),
  show: (node) => set({ selection: [node], selectedEdges: [], ...opened(get(), 1), wish: { node, n: (get().wish?.n ?? 0) + 1 } }),
  fit: () => set({ fitWish: get().fitWish + 1 }),
  goTo: (span, focus = false) => set({ goto: { span, focus, n: (get().goto?.n ?? 0) + 1 }, showYaml: true }),
  say: (message, tone = "plain") => set({ said: { message, tone, n: (get().said?.n ?? 0) + 1 } }),
  set: (state) => set(state),
}));

/** The first selection shows what can be done with it. */
function opened({ panel, panelClosed }: ViewState, selected: number): Partial<ViewState> {
  return panel === null && !panelClosed && selected > 0 ? { panel: "inspector" } : {};
}
