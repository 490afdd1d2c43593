import type { Draft } from "../draft";
import { Refused } from "../locate";
import { HOME, idOf, splitId, uniqueName } from "../names";
import { Flow, isPlainMap } from "../quoting";
import type { Applied, Command, NodeId } from "../types";
import { cleanName, drawingOf, lieAt, namesOf, nodesById } from "./context";
import type { Wish } from "./context";

/** Return the body of a new service or machine with the group that it stands in. */
export function inGroup(kind: string, value: unknown, parent: NodeId | null | undefined): unknown {
  if (!parent) return value;
  const group = splitId(parent);
  const body = isPlainMap(value) ? value : {};
  if (kind === "machine" && group.kind === "region") return { region: group.name, ...body };
  if (kind !== "service") return value;
  const own = isPlainMap(body["x-escale"]) ? body["x-escale"] : {};
  return { ...body, "x-escale": new Flow({ ...own, [group.kind]: group.name }) };
}

/** Declare something new; its name is made unique. */
export function add(draft: Draft, command: Extract<Command, { do: "add" }>): Applied {
  const { kind, value, parent, at } = command;
  const drawing = drawingOf(draft.text);
  if (parent && !nodesById(drawing).has(parent)) throw new Refused({ key: "document.no_such_group", params: { name: splitId(parent).name } });
  const name = uniqueName(cleanName(kind, command.name), namesOf(drawing, kind));
  const id = idOf(kind, name);
  const body = inGroup(kind, value ?? (kind === "service" ? {} : null), parent);
  const wishes: Wish[] = [{ path: [...HOME[kind], name], value: body }];
  if (at) wishes.push(lieAt(id, at, null));
  draft.set(wishes);
  draft.created.push(id);
  return draft.done({ key: "command.add", params: { name } });
}
