/**
 * From a drawing to places: machines first, then regions, then the whole. What was placed by hand stays where it is;
 * what was shown stays where it was; the rest is laid out, one level at a time, by whoever solves the levels.
 */
import type { Drawing, DrawingNode, NodeId } from "../document/types";
import {
  emptySize, FOLDED, GAP, HEAD, isGroup, LAYER_GAP, leafSize, PAD, snap, structureKey, union,
  type Box, type Geometry, type Memory, type Rect, type Remembered,
} from "./geometry";
import { blocksOf, indexEdges, type Satellites } from "./blocks";
import { layered, type Level } from "./layered";
import { Room } from "./room";

export type Places = readonly { x: number; y: number }[];

/** Lay out at once, for the first paint and for small changes. */
export function layoutNow(drawing: Drawing, memory: Memory = new Map()): Geometry {
  const steps = arrange(drawing, memory);
  let step = steps.next();
  while (!step.done) step = steps.next(layered(step.value));
  return step.value;
}

/** Lay out with a better solver; a level that it cannot do is done by the fast one. Rejects when told to stop. */
export async function layoutWell(
  drawing: Drawing,
  memory: Memory,
  solve: (level: Level) => Promise<Places>,
  signal?: AbortSignal,
): Promise<Geometry> {
  const steps = arrange(drawing, memory);
  let step = steps.next();
  while (!step.done) {
    const level = step.value;
    const simple = level.blocks.length < 2 || level.links.length === 0;
    let places: Places;
    try {
      places = simple ? layered(level) : await solve(level);
    } catch (error) {
      signal?.throwIfAborted();
      if (error instanceof DOMException) throw error;
      places = layered(level);
    }
    signal?.throwIfAborted();
    step = steps.next(places);
  }
  return step.value;
}

interface Placed {
  x: number;
  y: number;
  w: number;
  h: number;
}

function* arrange(drawing: Drawing, memory: Memory): Generator<Level, Geometry, Places> {
  const nodes = new Map<NodeId, DrawingNode>(drawing.nodes.map((node) => [node.id, node]));
  const children = new Map<NodeId | null, NodeId[]>();
  for (const node of drawing.nodes) {
    const parent = node.parent !== null && nodes.has(node.parent) ? node.parent : null;
    const there = children.get(parent);
    if (there) there.push(node.id);
    else children.set(parent, [node.id]);
  }
  const placed = new Map<NodeId, Placed>();
  const fresh = new Set<NodeId | null>();
  const recalled = recall(drawing, memory, nodes);
  const index = indexEdges(drawing, nodes);

  const groups: (DrawingNode | null)[] = [
    ...drawing.nodes.filter((node) => node.kind === "machine"),
    ...drawing.nodes.filter((node) => node.kind === "region"),
    null,
  ];
  const sizes = new Map<NodeId, { w: number; h: number }>();
  const sizeOf = (id: NodeId) => sizes.get(id) ?? leafSize(nodes.get(id)!.kind);
  for (const group of groups) {
    const id = group?.id ?? null;
    const members = (children.get(id) ?? []).map((member) => nodes.get(member)!);
    if (group !== null && isGroup(group) && group.collapsed) {
      sizes.set(group.id, FOLDED);
      continue;
    }
    yield* level(id, members);
    if (group === null) break;
    const inside = union(members.flatMap((member) => placed.get(member.id) ?? []));
    const least = members.length === 0 ? emptySize(group.kind) : { w: FOLDED.w, h: HEAD + PAD };
    const [w, h] = group.size ?? [0, 0];
    sizes.set(group.id, {
      w: Math.max(least.w, w, members.length > 0 ? snap(inside.x + inside.w + PAD + 5) : 0),
      h: Math.max(least.h, h, members.length > 0 ? snap(inside.y + inside.h + PAD + 5) : 0),
    });
  }
  return finish();

  /** Place the children of one group, relative to it. */
  function* level(group: NodeId | null, members: DrawingNode[]): Generator<Level, void, Places> {
    const least = group === null ? { x: -Infinity, y: -Infinity } : { x: PAD, y: HEAD };
    const room = new Room();
    const put = (node: DrawingNode, x: number, y: number) => {
      const place = { x, y, ...sizeOf(node.id) };
      placed.set(node.id, place);
      room.add(place);
    };
    const pinned = members.filter((node) => node.at !== null);
    let free = members.filter((node) => node.at === null);
    for (const node of pinned) put(node, node.at![0], node.at![1]);

    const known = free.filter((node) => recalled.get(node.id)?.parent === group);
    const keep = known.length > 0 && known.length * 2 >= free.length;
    if (keep) {
      // Nothing that was seen moves, but for what a group that grew has pushed aside.
      known.sort((a, b) => rank(a) - rank(b));
      for (const node of known) {
        const was = recalled.get(node.id)!;
        const place = { x: was.x, y: was.y, ...sizeOf(node.id) };
        if (room.taken(place)) Object.assign(place, room.place(place, least));
        put(node, place.x, place.y);
      }
      free = free.filter((node) => !placed.has(node.id));
    } else if (free.length > 0) fresh.add(group);
    if (free.length === 0) return;

    const near = keep || pinned.length * 2 > members.length;
    // With few hand-placed nodes the level is solved as if there were none, so that moving one card does not make the
    // others stand elsewhere the next time that the drawing is opened.
    const { blocks, links, satellites } = blocksOf(index, group, near ? free : members, nodes, sizeOf);
    if (near) {
      for (const block of blocks) {
        const wanted = nextTo(block.id, group, { w: block.w, h: block.h }, least);
        const at = room.place({ ...wanted, w: block.w, h: block.h }, least);
        putBlock(block.id, at.x, at.y, satellites);
      }
      return;
    }
    const places = yield { blocks, links };
    const start = { x: group === null ? 0 : PAD, y: group === null ? 0 : HEAD };
    blocks.forEach((block, position) => {
      const at = { x: snap(start.x + places[position]!.x), y: snap(start.y + places[position]!.y) };
      const held = placed.get(block.id);
      if (held) return putBlock(block.id, held.x, held.y, satellites);
      const clear = pinned.length === 0 || !room.taken({ ...at, w: block.w, h: block.h });
      const { x, y } = clear ? at : room.place({ ...at, w: block.w, h: block.h }, least);
      putBlock(block.id, x, y, satellites);
    });

    function putBlock(id: NodeId, x: number, y: number, around: Satellites): void {
      const held = placed.has(id);
      if (!held) put(nodes.get(id)!, x, y);
      let below = y + sizeOf(id).h + GAP / 2;
      for (const satellite of around.get(id) ?? []) {
        const at = { x: x + 3 * (GAP / 2), y: below };
        const clear = !held || !room.taken({ ...at, ...sizeOf(satellite) });
        const { x: atX, y: atY } = clear ? at : room.place({ ...at, ...sizeOf(satellite) }, least);
        put(nodes.get(satellite)!, atX, atY);
        below += sizeOf(satellite).h + GAP / 2;
      }
    }
  }

  /** Return where a new node would best stand: under its user, before what it needs, or below the rest. */
  function nextTo(id: NodeId, group: NodeId | null, size: { w: number; h: number }, least: { x: number; y: number }) {
    const sibling = (other: NodeId): Placed | undefined => {
      let at: NodeId | null | undefined = other;
      while (at && (nodes.get(at)?.parent ?? null) !== group) at = nodes.get(at)?.parent;
      return at ? placed.get(at) : undefined;
    };
    for (const edge of index.touching.get(id) ?? []) {
      if (edge.target === id) {
        const from = sibling(edge.source);
        if (from && nodes.get(id)!.kind === "service") return { x: from.x + from.w + LAYER_GAP, y: from.y };
        if (from) return { x: from.x + 3 * (GAP / 2), y: from.y + from.h + GAP };
      }
      if (edge.source === id) {
        const to = sibling(edge.target);
        if (to) return { x: to.x - LAYER_GAP - size.w, y: to.y };
      }
    }
    const there = union((children.get(group) ?? []).flatMap((member) => placed.get(member) ?? []));
    return there.w === 0
      ? { x: Math.max(0, least.x), y: Math.max(0, least.y) }
      : { x: Math.max(there.x, least.x), y: there.y + there.h + GAP };
  }

  function rank(node: DrawingNode): number {
    const was = recalled.get(node.id)!;
    return was.y + was.x / 1e4;
  }

  function finish(): Geometry {
    const boxes = new Map<NodeId, Box>();
    const hosts = new Map<NodeId, NodeId>();
    const remembered = new Map<NodeId, Remembered>();
    for (const [id, was] of recalled) remembered.set(id, was);
    const walk = (parent: NodeId | null, ax: number, ay: number, host: NodeId | null): void => {
      for (const id of children.get(parent) ?? []) {
        const node = nodes.get(id)!;
        if (host !== null) {
          hosts.set(id, host);
          walk(id, 0, 0, host);
          continue;
        }
        const at = placed.get(id)!;
        boxes.set(id, { ...at, ...sizeOf(id), ax: ax + at.x, ay: ay + at.y });
        if (node.at === null) remembered.set(id, { parent, x: at.x, y: at.y });
        walk(id, ax + at.x, ay + at.y, isGroup(node) && node.collapsed ? id : null);
      }
    };
    walk(null, 0, 0, null);
    const roots: Rect[] = (children.get(null) ?? []).map((id) => {
      const box = boxes.get(id)!;
      return { x: box.ax, y: box.ay, w: box.w, h: box.h };
    });
    return {
      boxes, hosts, children, bounds: union(roots), memory: remembered, fresh, key: structureKey(drawing),
    };
  }
}

/** What is remembered of nodes that are still there; one that was merely renamed takes over the old one's place. */
function recall(drawing: Drawing, memory: Memory, nodes: ReadonlyMap<NodeId, DrawingNode>): Map<NodeId, Remembered> {
  const recalled = new Map<NodeId, Remembered>();
  const gone: [NodeId, Remembered][] = [];
  for (const [id, was] of memory) {
    if (nodes.has(id)) recalled.set(id, was);
    else gone.push([id, was]);
  }
  const added = drawing.nodes.filter((node) => !memory.has(node.id) && node.at === null);
  if (gone.length === 1 && added.length === 1) {
    const [[old, was]] = gone as [[NodeId, Remembered]];
    const node = added[0]!;
    if (old.startsWith(`${node.kind}:`) && was.parent === node.parent) recalled.set(node.id, was);
    // The children of a renamed group name their parent anew.
    for (const [id, one] of recalled) if (one.parent === old) recalled.set(id, { ...one, parent: node.id });
  }
  return recalled;
}
