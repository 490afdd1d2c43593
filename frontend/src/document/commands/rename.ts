import type { Change } from "../changes";
import type { Draft } from "../draft";
import { Refused } from "../locate";
import { byKind, HOME, idOf, splitId } from "../names";
import { References } from "../references";
import type { Applied, Command, NodeId } from "../types";
import { drawingOf, isName, namesOf } from "./context";

/**
 * Rename a node and all that refers to it. Texts that only contain the name (`DB_HOST=db:5432`) stay as they are: nobody
 * can tell whether they mean it.
 */
export function rename(draft: Draft, { id, to }: Extract<Command, { do: "rename" }>): Applied {
  const { kind, name } = splitId(id);
  const drawing = drawingOf(draft.text);
  const names = namesOf(drawing, kind);
  const node = drawing.nodes.find((one) => one.id === id);
  if (!node) throw new Refused({ key: "document.no_such_node", params: { name } });
  if (!isName(kind, to)) throw new Refused({ key: kind === "machine" || kind === "region" ? "document.bad_host_name" : "document.bad_name", params: { name: to.slice(0, 80) } });
  if (node.kind === "network" && node.implicit) throw new Refused({ key: "document.implicit_network" });
  if (to === name) return draft.done({ key: "command.rename", params: { name, to } });
  if (names.has(to)) throw new Refused({ key: "document.name_taken", params: { name: to } });
  renameAll(draft, new Map([[id, to]]));
  draft.created.push(`${kind}:${to}`);
  return draft.done({ key: "command.rename", params: { name, to } });
}

/** Rename nodes at once: names may be swapped. */
export function renameAll(draft: Draft, names: ReadonlyMap<NodeId, string>): void {
  const { tree } = draft;
  const changes: Change[] = [];
  for (const [kind, old] of byKind(names.keys())) {
    const home = tree.at(HOME[kind]);
    const entries = home ? tree.entries(home) : null;
    for (const name of old) {
      const entry = entries?.get(name);
      if (entry) changes.push({ op: "rename", path: entry.written, to: names.get(idOf(kind, name)) as string });
    }
    for (const reference of References.to(tree, kind, old)) changes.push(reference.rename(names.get(idOf(kind, reference.name)) as string));
  }
  draft.write(changes);
}
