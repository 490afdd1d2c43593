import { reaches } from "./derive/cycles";
import { edgeTo, splitId } from "./names";
import type { Drawing, EdgeKind, Message, NodeId } from "./types";

/** Whether an edge may be drawn, and which way round: services come first. If not, the reason. */
export type MayConnect =
  | { ok: true; kind: EdgeKind; source: NodeId; target: NodeId }
  | { ok: false; refused: Message };

interface Index {
  ids: Set<NodeId>;
  written: Set<string>;
  depends: Map<string, string[]>;
}

const indices = new WeakMap<Drawing, Index>();

/** A canvas asks for every node while a line is drawn: what all questions need is looked up once. */
function indexOf(drawing: Drawing): Index {
  const known = indices.get(drawing);
  if (known) return known;
  const index: Index = { ids: new Set(drawing.nodes.map((node) => node.id)), written: new Set(), depends: new Map() };
  for (const edge of drawing.edges) {
    // What is only meant (the default network) may still be written down.
    if (edge.path.length > 2) index.written.add(`${edge.kind} ${edge.source} ${edge.target}`);
    if (edge.kind !== "depends_on") continue;
    const next = index.depends.get(edge.source);
    if (next) next.push(edge.target);
    else index.depends.set(edge.source, [edge.target]);
  }
  indices.set(drawing, index);
  return index;
}

/** Return whether two nodes may be connected; without `kind`, by the edge that leads to such a node. */
export function mayConnect(drawing: Drawing, source: NodeId, target: NodeId, kind?: EdgeKind): MayConnect {
  const refuse = (key: string, params: Record<string, string> = {}): MayConnect => ({ ok: false, refused: { key, params } });
  if (splitId(source).kind !== "service" && splitId(target).kind === "service") return mayConnect(drawing, target, source, kind);
  const from = splitId(source);
  const to = splitId(target);
  const edge = kind ?? edgeTo(to.kind);
  if (from.kind !== "service") return refuse("document.connect.from_service");
  if (edge === null) return refuse("document.connect.group", { name: to.name });
  const fits = edge === "depends_on" || edge === "link" ? to.kind === "service" : to.kind === edge;
  if (!fits) return refuse("document.connect.kind", { name: to.name });
  if (source === target) return refuse("document.connect.self", { name: from.name });
  const { ids, written, depends } = indexOf(drawing);
  if (!ids.has(source) || !ids.has(target)) return refuse("document.no_such_node", { name: ids.has(source) ? to.name : from.name });
  // A volume may be mounted at two places.
  if (edge !== "volume" && written.has(`${edge} ${source} ${target}`)) return refuse("document.connect.twice", { source: from.name, target: to.name });
  if (edge === "depends_on" && reaches(depends, target, source)) return refuse("document.connect.circle", { source: from.name, target: to.name });
  return { ok: true, kind: edge, source, target };
}
