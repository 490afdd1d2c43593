import type { EdgeKind } from "../document/types";
import { t } from "../i18n";
import { addItem } from "../palette/add";
import { ITEMS } from "../palette/items";
import { useDocument } from "../store/document";
import { type SidePanel, useView } from "../store/view";
import { canvasApi } from "./canvasApi";
import { copySelection, duplicateSelection, pasteFromClipboard, removeSelection, step } from "./gestures";

export type ActionGroup = "edit" | "add" | "arrange" | "view" | "design" | "help";
export const GROUPS: readonly ActionGroup[] = ["edit", "add", "arrange", "view", "design", "help"];

/** Something that can be done: shown by the command palette and the sheet of shortcuts, done by its keys. */
export interface Action {
  id: string;
  /** Key of the catalogue, or its words. */
  label: string;
  group: ActionGroup;
  icon?: string;
  /** `Mod+Shift+Z`, `Delete`, `?`; several mean the same. */
  keys?: readonly string[];
  /** The browser's own event does it (copy, paste): the keys are only shown. */
  native?: boolean;
  /** Also while one types in a field. */
  everywhere?: boolean;
  /** Not offered by the command palette: only its keys are told. */
  hidden?: boolean;
  /** Needs that something may be changed. */
  writes?: boolean;
  enabled?: () => boolean;
  perform: () => void | Promise<void>;
}

const registry = new Map<string, Action>();

/** Add actions; one with a known id takes the place of the older one. Answers how to take them away again. */
export function registerActions(added: readonly Action[]): () => void {
  for (const action of added) registry.set(action.id, action);
  return () => {
    for (const action of added) if (registry.get(action.id) === action) registry.delete(action.id);
  };
}

export function actions(): Action[] {
  return [...registry.values()];
}

export function isEnabled(action: Action): boolean {
  return !(action.writes && useDocument.getState().readOnly) && (action.enabled?.() ?? true);
}

export function labelOfAction(action: Action): string {
  return t(action.label);
}

const view = () => useView.getState();
const some = (least: number) => () => view().selection.length >= least;
const nodes = () => useDocument.getState().drawing.nodes;

function open(dialog: NonNullable<ReturnType<typeof view>["dialog"]>): () => void {
  return () => view().set({ dialog });
}

function panel(id: Exclude<SidePanel, null>): () => void {
  return () => view().set({ panel: view().panel === id ? null : id, phoneTab: "panel" });
}

const FRAMES = 30;

/** Give the focus to what is about to be drawn; a long drawing takes more than one frame. */
function focusSoon(selector: string, frames = FRAMES): void {
  requestAnimationFrame(() => {
    const element = document.querySelector<HTMLElement>(selector);
    if (element) element.focus();
    else if (frames > 0) focusSoon(selector, frames - 1);
  });
}

const EDGES = ["left", "center", "right", "top", "middle", "bottom"] as const;
const LAYERS: readonly (EdgeKind | "ports")[] = ["depends_on", "network", "volume", "config", "secret", "link", "ports"];
const PANELS = ["inspector", "problems", "comments", "versions", "plan", "live"] as const;

registerActions([
  { id: "commands", label: "action.commands", group: "help", icon: "command", keys: ["Mod+K"], everywhere: true, hidden: true, perform: open("commands") },
  {
    id: "undo", label: "action.undo", group: "edit", icon: "arrow-back-up", keys: ["Mod+Z"], writes: true,
    enabled: () => useDocument.getState().past.length > 0, perform: () => step("undo"),
  },
  {
    id: "redo", label: "action.redo", group: "edit", icon: "arrow-forward-up", keys: ["Mod+Shift+Z", "Mod+Y"], writes: true,
    enabled: () => useDocument.getState().future.length > 0, perform: () => step("redo"),
  },
  { id: "copy", label: "action.copy", group: "edit", icon: "copy", keys: ["Mod+C"], native: true, enabled: some(1), perform: async () => void (await copySelection()) },
  { id: "paste", label: "action.paste", group: "edit", icon: "clipboard", keys: ["Mod+V"], native: true, writes: true, perform: pasteFromClipboard },
  { id: "duplicate", label: "action.duplicate", group: "edit", icon: "copy-plus", keys: ["Mod+D"], writes: true, enabled: some(1), perform: duplicateSelection },
  { id: "rename", label: "action.rename", group: "edit", icon: "pencil", keys: ["F2"], writes: true, enabled: () => view().selection.length === 1, perform: open("rename") },
  { id: "connect", label: "action.connect", group: "edit", icon: "plug-connected", keys: ["C"], writes: true, enabled: () => nodes().length > 1, perform: open("connect") },
  { id: "group", label: "action.group", group: "edit", icon: "server-2", keys: ["Mod+G"], writes: true, enabled: some(1), perform: open("group") },
  {
    id: "remove", label: "action.remove", group: "edit", icon: "trash", keys: ["Delete", "Backspace"], writes: true,
    enabled: () => view().selection.length + view().selectedEdges.length > 0, perform: removeSelection,
  },
  { id: "select_all", label: "action.select_all", group: "edit", icon: "select-all", keys: ["Mod+A"], perform: () => view().select(nodes().map((node) => node.id)) },
  { id: "select_none", label: "action.select_none", group: "edit", keys: ["Escape"], hidden: true, enabled: () => view().selection.length + view().selectedEdges.length > 0, perform: () => view().select([]) },

  ...ITEMS.map((item): Action => ({ id: `add.${item.id}`, label: `action.add.${item.id}`, group: "add", icon: item.icon, writes: true, perform: async () => void (await addItem(item)) })),

  { id: "arrange", label: "action.arrange", group: "arrange", icon: "layout-grid", keys: ["Shift+L"], writes: true, perform: () => canvasApi.arrange() },
  { id: "arrange_group", label: "action.arrange_selection", group: "arrange", icon: "layout-grid", writes: true, enabled: some(1), perform: () => canvasApi.arrange(view().selection) },
  ...EDGES.map((edge): Action => ({ id: `align.${edge}`, label: `action.align_${edge}`, group: "arrange", icon: `layout-align-${edge}`, writes: true, enabled: some(2), perform: () => canvasApi.align(edge) })),
  { id: "distribute.horizontal", label: "action.distribute_horizontal", group: "arrange", icon: "layout-distribute-vertical", writes: true, enabled: some(3), perform: () => canvasApi.distribute("horizontal") },
  { id: "distribute.vertical", label: "action.distribute_vertical", group: "arrange", icon: "layout-distribute-horizontal", writes: true, enabled: some(3), perform: () => canvasApi.distribute("vertical") },

  { id: "fit", label: "action.fit", group: "view", icon: "arrows-maximize", keys: ["Shift+F", "Mod+0"], perform: () => view().fit() },
  { id: "fit_selection", label: "action.fit_selection", group: "view", icon: "zoom-in-area", enabled: some(1), perform: () => canvasApi.fit(view().selection) },
  { id: "zoom_in", label: "action.zoom_in", group: "view", icon: "zoom-in", keys: ["+"], perform: () => canvasApi.zoom("in") },
  { id: "zoom_out", label: "action.zoom_out", group: "view", icon: "zoom-out", keys: ["-"], perform: () => canvasApi.zoom("out") },
  { id: "zoom_actual", label: "action.zoom_actual", group: "view", icon: "zoom-reset", keys: ["1"], perform: () => canvasApi.zoom("actual") },
  { id: "yaml", label: "action.yaml", group: "view", icon: "code", keys: ["Y"], perform: () => view().set({ showYaml: !view().showYaml }) },
  { id: "palette", label: "action.palette", group: "view", icon: "plus", keys: ["P"], writes: true, perform: () => view().set(view().showPalette && !view().showOutline ? { showPalette: false } : { showPalette: true, showOutline: false }) },
  {
    id: "outline", label: "action.outline", group: "view", icon: "list-tree", keys: ["O"],
    perform: () => {
      view().set({ showOutline: !view().showOutline, phoneTab: "outline" });
      if (view().showOutline) focusSoon(".d-outline [role=treeitem][tabindex='0']");
    },
  },
  ...PANELS.map((id): Action => ({ id: `panel.${id}`, label: `action.panel_${id}`, group: "view", icon: "layout-sidebar-right", perform: panel(id) })),
  ...LAYERS.map((layer): Action => ({
    id: `layer.${layer}`, label: `action.layer_${layer}`, group: "view", icon: "stack-2",
    perform: () => view().set({ layers: { ...view().layers, [layer]: !view().layers[layer] } }),
  })),

  { id: "save", label: "action.save", group: "design", icon: "versions", keys: ["Mod+S"], everywhere: true, writes: true, perform: open("save") },
  { id: "plan", label: "action.plan", group: "design", icon: "list-check", keys: ["Mod+Enter"], writes: true, perform: () => view().set({ panel: "plan", phoneTab: "panel" }) },
  { id: "templates", label: "action.templates", group: "design", icon: "template", writes: true, perform: open("templates") },
  { id: "import", label: "action.import", group: "design", icon: "file-plus", writes: true, perform: open("import") },
  { id: "export", label: "action.export", group: "design", icon: "download", perform: open("export") },
  { id: "share", label: "action.share", group: "design", icon: "share", writes: true, perform: open("share") },
  { id: "print", label: "action.print", group: "design", icon: "printer", perform: () => window.print() },

  { id: "shortcuts", label: "action.shortcuts", group: "help", icon: "keyboard", keys: ["?"], perform: open("shortcuts") },
  { id: "tour", label: "action.tour", group: "help", icon: "help", perform: open("tour") },
]);
