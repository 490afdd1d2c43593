import { Draft } from "../draft";
import { Refused } from "../locate";
import { splitId } from "../names";
import type { Applied, Command, NodeId, Point } from "../types";
import { drawingOf, lieAt, nodesById, standIn } from "./context";
import type { Wish } from "./context";

/** Move cards, and put them into the groups that they were dropped in. */
export function place(draft: Draft, { moves }: Extract<Command, { do: "place" }>): Applied {
  const nodes = nodesById(drawingOf(draft.text));
  const regions = [...nodes.values()].filter((node) => node.kind === "region");
  const wishes: Wish[] = [];
  const into = new Set<NodeId | null>();
  for (const { id, at, size, parent } of moves) {
    const node = nodes.get(id);
    if (!node) throw new Refused({ key: "document.no_such_node", params: { name: splitId(id).name } });
    let point: Point = at;
    if (parent !== undefined && (node.kind === "service" || node.kind === "machine")) {
      if (parent !== null && !nodes.has(parent)) throw new Refused({ key: "document.no_such_group", params: { name: splitId(parent).name } });
      // Beside all regions is still in the first one, whose corner positions count from.
      const first = parent === null ? regions[0] : undefined;
      if (first?.at) point = [at[0] - first.at[0], at[1] - first.at[1]];
      if (parent !== node.parent) {
        wishes.push(...standIn(draft, id, parent));
        into.add(parent);
      }
    }
    wishes.push(lieAt(id, point, size ?? node.size));
  }
  draft.set(wishes);
  const [first] = moves;
  const name = first ? splitId(first.id).name : "";
  const [group] = into;
  if (into.size === 1 && group !== undefined) {
    const to = group === null ? "" : splitId(group).name;
    return draft.done({ key: group === null ? "command.place_out" : "command.place_into", params: { count: moves.length, name, to } });
  }
  return draft.done({ key: "command.place", params: { count: moves.length, name } });
}

/** Forget where cards lie. */
export function unplace(draft: Draft, { nodes }: Extract<Command, { do: "unplace" }>): Applied {
  const drawing = drawingOf(draft.text);
  const forgotten = nodes === "all" ? drawing.nodes.map((node) => node.id) : nodes;
  draft.set(forgotten.map((id) => ({ path: lieAt(id, [0, 0], null).path, value: undefined })));
  if (nodes === "all") return draft.done({ key: "command.arrange" });
  return draft.done({ key: "command.unplace", params: { count: forgotten.length, name: forgotten[0] ? splitId(forgotten[0]).name : "" } });
}
