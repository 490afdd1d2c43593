import type { Command, NodeId } from "../document/types";
import { say } from "../i18n";
import { useDocument } from "../store/document";
import { useView } from "../store/view";
import { ask } from "../workers/client";

/** Carry out a command and say what was done or why not; answers the nodes that it made, or null when refused. */
export async function perform(command: Command): Promise<NodeId[] | null> {
  const applied = await useDocument.getState().run(command);
  const { say } = useView.getState();
  if (!applied.ok) {
    say(applied.refused, "refused");
    return null;
  }
  say(applied.label);
  return applied.created;
}

const STEPS = {
  undo: { done: "shell.undone", nothing: "shell.nothing_to_undo" },
  redo: { done: "shell.redone", nothing: "shell.nothing_to_redo" },
} as const;

/** Undo the last step, or do again what was undone last, and say which step it was. */
export function step(direction: "undo" | "redo"): void {
  const label = useDocument.getState()[direction]();
  const { done, nothing } = STEPS[direction];
  useView.getState().say(label ? { key: done, params: { what: say(label) } } : { key: nothing });
}

/** Ask before removing what is selected; the dialog does it at once when nothing else would go along. */
export function removeSelection(): void {
  const { selection, selectedEdges, set } = useView.getState();
  if (selection.length + selectedEdges.length > 0) set({ dialog: "remove" });
}

export async function duplicateSelection(): Promise<void> {
  const made = await perform({ do: "duplicate", nodes: useView.getState().selection });
  if (made?.length) useView.getState().select(made);
}

/** Return what is selected as YAML that any Compose file could take. */
export function selectionAsYaml(): Promise<string> {
  return ask({ ask: "copy", text: useDocument.getState().drawnText, nodes: useView.getState().selection });
}

export async function copySelection(): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(await selectionAsYaml());
  } catch {
    useView.getState().say({ key: "app.no_clipboard" }, "refused");
    return false;
  }
  useView.getState().say({ key: "app.copied", params: { count: useView.getState().selection.length } });
  return true;
}

/** Paste YAML into the selected group, or beside everything. */
export async function paste(yaml: string): Promise<void> {
  if (yaml.trim() === "") return;
  const made = await perform({ do: "paste", yaml, parent: selectedGroup() ?? undefined });
  if (made?.length) useView.getState().select(made);
}

export async function pasteFromClipboard(): Promise<void> {
  let yaml: string;
  try {
    yaml = await navigator.clipboard.readText();
  } catch {
    useView.getState().say({ key: "app.no_clipboard" }, "refused");
    return;
  }
  await paste(yaml);
}

/** Return the machine or region that is selected alone, or that the one selected node is in. */
export function selectedGroup(): NodeId | null {
  const { selection } = useView.getState();
  if (selection.length !== 1) return null;
  const node = useDocument.getState().drawing.nodes.find((each) => each.id === selection[0]);
  if (!node) return null;
  return node.kind === "machine" || node.kind === "region" ? node.id : node.parent;
}
