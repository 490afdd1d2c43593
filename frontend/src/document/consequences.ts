import { splitId } from "./names";
import type { Consequence, Drawing, EdgeKind, NodeId } from "./types";

/** Return what removing nodes and edges takes along or leaves behind; none when nobody else notices. */
export function consequences(drawing: Drawing, nodes: readonly NodeId[], edges: readonly string[]): Consequence[] {
  const gone = new Set<NodeId>(nodes);
  const cut = new Set(edges);
  const found: Consequence[] = [];
  const groups = new Map<string, { name: string; kind: EdgeKind; from: NodeId[]; edges: string[] }>();
  for (const edge of drawing.edges) {
    // Edges that are removed anyway, with their source or by themselves, are no surprise.
    if (!gone.has(edge.target) || gone.has(edge.source) || cut.has(edge.id) || edge.path.length < 3) continue;
    const key = `${edge.kind} ${edge.target}`;
    const group = groups.get(key) ?? { name: splitId(edge.target).name, kind: edge.kind, from: [], edges: [] };
    if (!group.from.includes(edge.source)) group.from.push(edge.source);
    group.edges.push(edge.id);
    groups.set(key, group);
  }
  for (const { name, kind, from, edges: lost } of groups.values()) {
    found.push({
      message: { key: `document.consequence.${kind}`, params: { name, count: from.length, services: listed(from) } },
      nodes: from,
      edges: lost,
    });
  }
  for (const id of nodes) {
    const { kind, name } = splitId(id);
    if (kind === "machine" || kind === "region") {
      const inside = drawing.nodes.filter((node) => node.parent === id && !gone.has(node.id)).map((node) => node.id);
      if (inside.length > 0) {
        found.push({ message: { key: `document.consequence.${kind}`, params: { name, count: inside.length, services: listed(inside) } }, nodes: inside, edges: [] });
      }
    }
    const node = drawing.nodes.find((one) => one.id === id);
    const open = node?.comments.filter((comment) => !comment.resolved).length ?? 0;
    if (open > 0) found.push({ message: { key: "document.consequence.comments", params: { name, count: open } }, nodes: [id], edges: [] });
  }
  for (const id of unusedAfter(drawing, gone, cut)) {
    found.push({ message: { key: "document.consequence.unused", params: { name: splitId(id).name } }, nodes: [id], edges: [] });
  }
  return found;
}

function listed(ids: readonly NodeId[]): string {
  const names = ids.map((id) => splitId(id).name);
  return names.length > 5 ? `${names.slice(0, 5).join(", ")}, …` : names.join(", ");
}

/** Volumes, configs and secrets that nobody uses any more; they stay, and the data of volumes with them. */
function unusedAfter(drawing: Drawing, gone: ReadonlySet<NodeId>, cut: ReadonlySet<string>): NodeId[] {
  const lost = new Set<NodeId>();
  const used = new Set<NodeId>();
  for (const edge of drawing.edges) {
    if (edge.kind !== "volume" && edge.kind !== "config" && edge.kind !== "secret") continue;
    if (gone.has(edge.source) || cut.has(edge.id)) lost.add(edge.target);
    else used.add(edge.target);
  }
  return [...lost].filter((id) => !used.has(id) && !gone.has(id));
}
