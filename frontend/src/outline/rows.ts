import type { Drawing, DrawingEdge, DrawingNode, EdgeKind, Kind, NodeId } from "../document/types";

/** One line of the outline. Lines are in the order in which they are shown, as a flat list with levels. */
export interface Row {
  /** Unique in the outline: an edge stands under its service, a node once. */
  key: string;
  level: number;
  type: "node" | "edge" | "port" | "heading";
  /** Where it is found by typing; what is shown for nodes. */
  label: string;
  note: string;
  icon: Kind | EdgeKind | "port";
  node: NodeId | null;
  edge: string | null;
  expandable: boolean;
  expanded: boolean;
  parent: string | null;
  set: number;
  pos: number;
}

const SHARED: readonly { kind: Kind; key: string }[] = [
  { kind: "volume", key: "heading:volume" }, { kind: "network", key: "heading:network" },
  { kind: "config", key: "heading:config" }, { kind: "secret", key: "heading:secret" },
];

/** A line before it is known which are unfolded. */
interface Entry extends Omit<Row, "level" | "expandable" | "expanded" | "parent" | "set" | "pos"> {
  children: Entry[];
}

/**
 * Return the lines of a drawing: regions, their machines, their services, and below a service what it uses and
 * publishes; then volumes, networks, configs and secrets by kind. Every node is in it, also those that the canvas does
 * not draw. `folded` holds the keys whose children are hidden; services are folded unless `unfolded` holds them.
 */
export function outline(drawing: Drawing, folded: ReadonlySet<string>, unfolded: ReadonlySet<string>, heading: (kind: Kind) => string): Row[] {
  const byId = new Map(drawing.nodes.map((node) => [node.id, node]));
  const edges = new Map<NodeId, DrawingEdge[]>();
  for (const edge of drawing.edges) append(edges, edge.source, edge);
  const children = new Map<NodeId | null, DrawingNode[]>();
  for (const node of drawing.nodes) {
    if (node.kind !== "service" && node.kind !== "machine" && node.kind !== "region") continue;
    const parent = node.parent && byId.has(node.parent) ? node.parent : null;
    append(children, parent, node);
  }
  const rank: Partial<Record<Kind, number>> = { region: 0, machine: 1, service: 2 };
  const seen = new Set<NodeId>();

  const ofNode = (node: DrawingNode): Entry => {
    seen.add(node.id);
    const inside = [...(children.get(node.id) ?? [])].filter((child) => !seen.has(child.id)).sort((a, b) => (rank[a.kind] ?? 3) - (rank[b.kind] ?? 3));
    const own: Entry[] = inside.map(ofNode);
    if (node.kind === "service") {
      for (const [index, port] of node.ports.entries())
        own.push({ key: `${node.id}/port/${index}`, type: "port", label: port.published || port.target, note: `${port.target}/${port.protocol}`, icon: "port", node: node.id, edge: null, children: [] });
      for (const edge of edges.get(node.id) ?? []) {
        const target = byId.get(edge.target);
        own.push({ key: edge.id, type: "edge", label: target?.name ?? edge.target, note: edge.label, icon: edge.kind, node: edge.target, edge: edge.id, children: [] });
      }
    }
    return { key: node.id, type: "node", label: node.name, note: noteOf(node), icon: node.kind, node: node.id, edge: null, children: own };
  };

  const top = [...(children.get(null) ?? [])].sort((a, b) => (rank[a.kind] ?? 3) - (rank[b.kind] ?? 3)).map(ofNode);
  // What names itself, or each other, as parent is reached nevertheless.
  for (const list of children.values()) for (const node of list) if (!seen.has(node.id)) top.push(ofNode(node));
  for (const { kind, key } of SHARED) {
    const nodes = drawing.nodes.filter((node) => node.kind === kind);
    if (nodes.length) top.push({ key, type: "heading", label: heading(kind), note: "", icon: kind, node: null, edge: null, children: nodes.map(ofNode) });
  }

  const rows: Row[] = [];
  const push = (entries: readonly Entry[], level: number, parent: string | null): void => {
    for (const [index, { children: inner, ...entry }] of entries.entries()) {
      const isService = entry.icon === "service";
      const expanded = inner.length > 0 && (isService ? unfolded.has(entry.key) : !folded.has(entry.key));
      rows.push({ ...entry, level, parent, expandable: inner.length > 0, expanded, set: entries.length, pos: index + 1 });
      if (expanded) push(inner, level + 1, entry.key);
    }
  };
  push(top, 1, null);
  return rows;
}

function append<K, V>(lists: Map<K, V[]>, key: K, value: V): void {
  const list = lists.get(key);
  if (list) list.push(value);
  else lists.set(key, [value]);
}

function noteOf(node: DrawingNode): string {
  switch (node.kind) {
    case "service":
      return node.image;
    case "volume":
      return node.capacity;
    case "machine":
      return [node.count > 1 ? `${node.count} ×` : "", node.cpus && `${node.cpus} CPU`, node.memory].filter(Boolean).join(" ");
    case "region":
      return node.cloud;
    case "config":
    case "secret":
      return node.source;
    default:
      return "";
  }
}

/** Return the keys above a node that have to be unfolded for it to be seen. */
export function ancestors(drawing: Drawing, id: NodeId): NodeId[] {
  const above: NodeId[] = [];
  for (let node = drawing.nodes.find((each) => each.id === id); node?.parent && !above.includes(node.parent); ) {
    const parent: NodeId = node.parent;
    above.push(parent);
    node = drawing.nodes.find((each) => each.id === parent);
  }
  return above;
}

/** Return the index of the next line, from `from` on and round, whose label begins with what was typed. */
export function typedAhead(rows: readonly Row[], from: number, typed: string): number {
  const wanted = typed.toLowerCase();
  for (let step = 0; step < rows.length; step++) {
    const index = (from + step) % rows.length;
    if (rows[index]?.label.toLowerCase().startsWith(wanted)) return index;
  }
  return -1;
}
