import { pick } from "../clipboard";
import { Reader } from "../derive/reader";
import { Draft } from "../draft";
import { insertFragment, readFragment } from "../fragment";
import { Refused } from "../locate";
import { idOf, splitId, uniqueName } from "../names";
import type { Applied, Command, DrawingNode, Point } from "../types";
import { cleanName, drawingOf, lieAt, namesOf, nodesById, standIn } from "./context";
import type { Wish } from "./context";

export function paste(draft: Draft, { yaml, parent, at, label }: Extract<Command, { do: "paste" }>): Applied {
  const drawing = drawingOf(draft.text);
  if (parent && !nodesById(drawing).has(parent)) throw new Refused({ key: "document.no_such_group", params: { name: splitId(parent).name } });
  insertFragment(draft, readFragment(yaml), { parent, at });
  const { created } = draft;
  return draft.done(label ?? { key: "command.paste", params: { count: created.length, name: splitId(created[0] as string).name } });
}

const BESIDE = 40;

/** Copy nodes beside themselves; what they use (volumes, networks, …) is shared unless it is copied by itself. */
export function duplicate(draft: Draft, { nodes }: Extract<Command, { do: "duplicate" }>): Applied {
  const drawing = drawingOf(draft.text);
  const known = nodesById(drawing);
  const chosen = nodes.flatMap((id) => known.get(id) ?? []).filter((node) => node.kind !== "network" || !node.implicit);
  if (chosen.length === 0) throw new Refused({ key: "document.nothing_to_copy" });
  const fragment = new Draft("");
  const copied = pick(new Reader(draft.source), chosen.map((node) => node.id));
  fragment.set(Object.entries(copied).map(([key, value]) => ({ path: [key], value })));
  const fresh = new Set(chosen.map((node) => node.id));
  for (const node of drawingOf(fragment.text).nodes) if (node.kind === "machine" && node.parent && fresh.has(node.parent)) fresh.add(node.id);
  insertFragment(draft, fragment, {}, fresh);
  const wishes: Wish[] = [];
  // Copies come in the order of the originals of their kind; each stands in the same group, a little aside.
  const copies = new Map(draft.created.map((id, index) => [index, id]));
  const now = nodesById(drawingOf(draft.text));
  for (const id of copies.values()) {
    const original = chosen.find((node) => node.kind === splitId(id).kind && isCopyOf(node.name, splitId(id).name));
    if (!original) continue;
    if (original.parent && known.has(original.parent) && now.get(id)?.parent !== original.parent) wishes.push(...standIn(draft, id, original.parent));
    if (original.at) wishes.push(lieAt(id, [original.at[0] + BESIDE, original.at[1] + BESIDE], original.size));
  }
  draft.set(wishes);
  return draft.done({ key: "command.duplicate", params: { count: chosen.length, name: (chosen[0] as DrawingNode).name } });
}

function isCopyOf(name: string, copy: string): boolean {
  return copy.replace(/-\d+$/, "") === name.replace(/-\d+$/, "");
}

/** From the corner of a group to its first card: as far as the canvas keeps its own (PAD and HEAD there). */
const MARGIN: Point = [24, 60];

/** Make a machine or region, and put nodes into it. */
export function group(draft: Draft, { nodes, kind, name: wanted, places = {} }: Extract<Command, { do: "group" }>): Applied {
  const drawing = drawingOf(draft.text);
  const known = nodesById(drawing);
  const members = nodes.flatMap((id) => known.get(id) ?? []).filter((node) => node.kind === "service" || (kind === "region" && node.kind === "machine"));
  if (members.length === 0) throw new Refused({ key: `document.group_nothing_${kind}` });
  const name = uniqueName(cleanName(kind, wanted), namesOf(drawing, kind));
  const id = idOf(kind, name);
  const chosen = new Set(members.map((node) => node.id));
  // Services whose machine goes along need not be moved themselves.
  const moved = members.filter((node) => !node.parent || !chosen.has(node.parent));
  const parents = new Set(moved.map((node) => node.parent));
  const common = parents.size === 1 ? ([...parents][0] ?? null) : null;
  const parent = common && known.get(common)?.kind === "region" ? common : common ? (known.get(common)?.parent ?? null) : null;
  const body = kind === "machine" && parent ? { region: splitId(parent).name } : null;
  const wishes: Wish[] = [{ path: ["x-escale", `${kind}s`, name], value: body }];
  for (const node of moved) wishes.push(...standIn(draft, node.id, id));
  // Where they are seen tells it across groups; without that only places of one and the same group can be compared.
  const seen = moved.filter((node) => places[node.id]);
  const isSeen = seen.length > 0;
  const placed = isSeen ? seen : parents.size === 1 && moved.every((node) => node.at) ? moved : [];
  const at = (node: DrawingNode): Point => (isSeen ? places[node.id] : node.at) as Point;
  // A machine that names no region belongs to the first one.
  const around = kind === "region" ? null : (parent ?? drawing.nodes.find((node) => node.kind === "region")?.id ?? null);
  const origin: Point = (isSeen && around && places[around]) || [0, 0];
  if (placed.length > 0) {
    const left = Math.min(...placed.map((node) => at(node)[0])) - MARGIN[0];
    const top = Math.min(...placed.map((node) => at(node)[1])) - MARGIN[1];
    wishes.push(lieAt(id, [left - origin[0], top - origin[1]], null));
    for (const node of placed) wishes.push(lieAt(node.id, [at(node)[0] - left, at(node)[1] - top], node.size));
  }
  // Of the others nothing is known that would still hold: the layout decides anew.
  for (const node of moved) if (node.at && !placed.includes(node)) wishes.push({ path: lieAt(node.id, [0, 0], null).path, value: undefined });
  draft.set(wishes);
  draft.created.push(id);
  return draft.done({ key: `command.group_${kind}`, params: { count: members.length, name } });
}

