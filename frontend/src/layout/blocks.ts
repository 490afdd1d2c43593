import type { Drawing, DrawingEdge, DrawingNode, NodeId } from "../document/types";
import { GAP } from "./geometry";
import type { Level, Link } from "./layered";

/** Volumes, configs and secrets of one service hang under its card: service -> what hangs there, top down. */
export type Satellites = ReadonlyMap<NodeId, readonly NodeId[]>;

const HANGS = ["volume", "config", "secret", "network"];

/** The edges as the levels see them, found once for all of them. */
export interface EdgeIndex {
  /** Group -> pairs of its children between which (or within which) an edge runs. */
  pairs: ReadonlyMap<NodeId | null, readonly (readonly [NodeId, NodeId])[]>;
  /** Volume, network, config or secret -> who uses it: a sibling when it is inside of one. */
  users: ReadonlyMap<NodeId, ReadonlySet<NodeId>>;
  touching: ReadonlyMap<NodeId, readonly DrawingEdge[]>;
}

export interface Blocks extends Level {
  blocks: readonly { id: NodeId; w: number; h: number; anchor: number }[];
  satellites: Satellites;
}

export function indexEdges(drawing: Drawing, nodes: ReadonlyMap<NodeId, DrawingNode>): EdgeIndex {
  const pairs = new Map<NodeId | null, (readonly [NodeId, NodeId])[]>();
  const users = new Map<NodeId, Set<NodeId>>();
  const touching = new Map<NodeId, DrawingEdge[]>();
  const chains = new Map<NodeId, NodeId[]>();
  const chain = (id: NodeId): NodeId[] => {
    const known = chains.get(id);
    if (known) return known;
    const found: NodeId[] = [];
    for (let at: NodeId | null | undefined = id; at; at = nodes.get(at)?.parent) found.unshift(at);
    chains.set(id, found);
    return found;
  };
  for (const edge of drawing.edges) {
    const target = nodes.get(edge.target);
    if (!target || !nodes.has(edge.source)) continue;
    add(touching, edge.source, edge);
    add(touching, edge.target, edge);
    const from = chain(edge.source);
    const to = chain(edge.target);
    let depth = 0;
    while (depth < from.length - 1 && depth < to.length - 1 && from[depth] === to[depth]) depth++;
    if (from[depth] !== to[depth]) add(pairs, depth === 0 ? null : from[depth - 1]!, [from[depth]!, to[depth]!] as const);
    if (HANGS.includes(target.kind)) {
      const known = users.get(target.id) ?? new Set<NodeId>();
      known.add(depth === to.length - 1 ? from[depth]! : edge.source);
      users.set(target.id, known);
    }
  }
  return { pairs, users, touching };
}

/** Turn the free nodes of one group into blocks (a card with what hangs under it) and the links between them. */
export function blocksOf(
  index: EdgeIndex,
  group: NodeId | null,
  free: readonly DrawingNode[],
  nodes: ReadonlyMap<NodeId, DrawingNode>,
  sizeOf: (id: NodeId) => { w: number; h: number },
): Blocks {
  const here = new Set(free.map((node) => node.id));
  const satellites = new Map<NodeId, NodeId[]>();
  const hung = new Set<NodeId>();
  for (const kind of HANGS)
    for (const node of free) {
      const of = index.users.get(node.id);
      if (node.kind !== kind || node.at !== null || of?.size !== 1) continue;
      const [user] = of as Set<NodeId>;
      if (!user || nodes.get(user)?.kind !== "service" || !here.has(user)) continue;
      add(satellites, user, node.id);
      hung.add(node.id);
    }
  const blocks = free
    .filter((node) => !hung.has(node.id))
    .map((node) => {
      const { w, h } = sizeOf(node.id);
      const below = (satellites.get(node.id) ?? []).reduce((sum, id) => sum + sizeOf(id).h + GAP / 2, 0);
      return { id: node.id, w, h: h + below, anchor: h / 2 };
    });
  const at = new Map(blocks.map((block, position) => [block.id, position]));
  const links: Link[] = [];
  const seen = new Set<string>();
  for (const [source, target] of index.pairs.get(group) ?? []) {
    const from = at.get(source);
    const to = at.get(target);
    if (from === undefined || to === undefined || seen.has(`${from}>${to}`)) continue;
    seen.add(`${from}>${to}`);
    links.push([from, to]);
  }
  return { blocks, links, satellites };
}

function add<K, V>(map: Map<K, V[]>, key: K, value: V): void {
  const there = map.get(key);
  if (there) there.push(value);
  else map.set(key, [value]);
}
