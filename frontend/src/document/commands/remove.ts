import type { Change } from "../changes";
import type { Draft } from "../draft";
import { locate } from "../locate";
import { byKind, HOME, idOf, splitId } from "../names";
import { References } from "../references";
import { isPlainMap } from "../quoting";
import type { Applied, Command, NodeId } from "../types";
import { drawingOf, standIn } from "./context";

/** Remove nodes and edges with all that refers to them, so that what remains is whole. */
export function remove(draft: Draft, { nodes, edges }: Extract<Command, { do: "remove" }>): Applied {
  removeIndirect(draft, edges);
  const drawing = drawingOf(draft.text);
  const gone = new Set<NodeId>(nodes);
  for (const id of nodes) if (splitId(id).kind === "machine") leaveMachine(draft, id, gone);
  const { tree } = draft;
  const changes: Change[] = [];
  for (const [kind, names] of byKind(nodes)) {
    const home = tree.at(HOME[kind]);
    const entries = home ? tree.entries(home) : null;
    for (const name of names) {
      const entry = entries?.get(name);
      if (entry) changes.push({ op: "delete", path: entry.written });
    }
    for (const reference of References.to(tree, kind, names)) changes.push(...reference.remove);
  }
  const wanted = new Set(edges);
  for (const edge of drawing.edges) {
    if (!wanted.has(edge.id) || edge.path.length < 3) continue;
    const located = locate(tree, edge.path, undefined);
    if (located) changes.push(located.change);
  }
  // What is inside something that goes as a whole need not be touched.
  const whole = new Set(changes.flatMap((change) => (change.op === "delete" ? [JSON.stringify(change.path)] : [])));
  draft.write(changes.filter(({ path }) => !path.some((_, length) => whole.has(JSON.stringify(path.slice(0, length))))));
  const [first] = nodes.length > 0 ? nodes : edges;
  const count = nodes.length + (nodes.length > 0 ? 0 : edges.length);
  return draft.done({ key: nodes.length > 0 ? "command.remove" : "command.disconnect", params: { count, name: first ? splitId(first).name.replace(">", " → ") : "" } });
}

/** Take away edges whose entry is shared through an alias or a merge, one by one. */
function removeIndirect(draft: Draft, edges: readonly string[]): void {
  if (edges.length === 0 || draft.source.anchors.size === 0) return;
  for (let round = 0; round < edges.length; round++) {
    const wanted = new Set(edges);
    const indirect = drawingOf(draft.text).edges.find((edge) => {
      return wanted.has(edge.id) && edge.path.length > 2 && locate(draft.tree, edge.path, undefined)?.direct === false;
    });
    if (!indirect) return;
    draft.set([{ path: indirect.path, value: undefined }]);
  }
}

/** Services of a machine that goes stay in its region. */
function leaveMachine(draft: Draft, id: NodeId, gone: Set<NodeId>): void {
  const { name } = splitId(id);
  const body = draft.value([...HOME.machine, name]);
  const region = isPlainMap(body) && typeof body.region === "string" ? idOf("region", body.region) : null;
  const services = References.to(draft.tree, "machine", new Set([name])).filter(({ by, from }) => by === "machine" && from !== null && !gone.has(from));
  if (region === null || gone.has(region)) return;
  draft.set(services.flatMap(({ from }) => standIn(draft, from as NodeId, region)));
}
