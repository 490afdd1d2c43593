/** The fast layout for the first paint: layers from left to right, components packed in rows. O(n log n). */
import { GAP, LAYER_GAP, snap, type Rect } from "./geometry";

export interface Block {
  w: number;
  h: number;
  /** Height at which edges come in and go out; the middle when nothing is said. */
  anchor?: number;
}

export type Link = readonly [from: number, to: number];

/** One level of the drawing: blocks to be put without overlap, in the order of the file, and what joins them. */
export interface Level {
  blocks: readonly Block[];
  links: readonly Link[];
}

const ASPECT = 1.7;
const ROW_WIDTH = 1_400;

/** Return the place of each block, from 0,0 on. */
export function layered(level: Level): { x: number; y: number }[] {
  const places = level.blocks.map(() => ({ x: 0, y: 0 }));
  const parts: { members: number[]; rect: Block; inside: Map<number, { x: number; y: number }> }[] = [];
  const alone: number[] = [];
  const { before, after } = neighbours(level);
  for (const members of components(level.blocks.length, before, after)) {
    if (members.length === 1) alone.push(members[0]!);
    else parts.push({ members, ...component(level.blocks, members, before, after) });
  }
  const lone = grid(level.blocks, alone);
  if (alone.length > 0) parts.push({ members: alone, ...lone });

  const packed = pack(parts.map((part) => part.rect));
  parts.forEach((part, index) => {
    const at = packed[index]!;
    for (const member of part.members) {
      const inside = part.inside.get(member)!;
      places[member] = { x: snap(at.x + inside.x), y: snap(at.y + inside.y) };
    }
  });
  return places;
}

function neighbours(level: Level): { before: number[][]; after: number[][] } {
  const before: number[][] = level.blocks.map(() => []);
  const after: number[][] = level.blocks.map(() => []);
  const seen = new Set<string>();
  for (const [from, to] of level.links) {
    const key = `${from}>${to}`;
    if (from === to || seen.has(key)) continue;
    seen.add(key);
    after[from]!.push(to);
    before[to]!.push(from);
  }
  return { before, after };
}

function components(count: number, before: number[][], after: number[][]): number[][] {
  const seen = new Uint8Array(count);
  const found: number[][] = [];
  for (let start = 0; start < count; start++) {
    if (seen[start]) continue;
    const members = [start];
    seen[start] = 1;
    for (let at = 0; at < members.length; at++)
      for (const next of [...before[members[at]!]!, ...after[members[at]!]!])
        if (!seen[next]) {
          seen[next] = 1;
          members.push(next);
        }
    found.push(members.sort((a, b) => a - b));
  }
  return found;
}

/** Put one connected component: layers by the longest way from a source, orders by barycentre, long rows wrapped. */
function component(
  blocks: readonly Block[], members: number[], before: number[][], after: number[][],
): { rect: Block; inside: Map<number, { x: number; y: number }> } {
  const layer = layersOf(members, before, after);
  const rows: number[][] = [];
  for (const member of members) (rows[layer.get(member)!] ??= []).push(member);
  const layers = rows.filter(Boolean);
  order(layers, before, after);

  const tallest = Math.max(4, Math.ceil(Math.sqrt(members.length * 1.2)));
  const columns: number[][] = [];
  for (const one of layers) {
    const pieces = Math.ceil(one.length / tallest);
    const size = Math.ceil(one.length / pieces);
    for (let from = 0; from < one.length; from += size) columns.push(one.slice(from, from + size));
  }

  const inside = new Map<number, { x: number; y: number }>();
  const area = members.reduce((sum, member) => sum + (blocks[member]!.w + LAYER_GAP) * (blocks[member]!.h + GAP), 0);
  const widest = Math.max(ROW_WIDTH, Math.sqrt(area * ASPECT));
  let x = 0;
  let top = 0;
  let right = 0;
  let bottom = 0;
  for (const column of columns) {
    const width = Math.max(...column.map((member) => blocks[member]!.w));
    if (x > 0 && x + width > widest) {
      x = 0;
      top = bottom + 2 * GAP;
    }
    // Each block stands as near as it can to the middle of those that lead to it.
    let free = top;
    for (const member of column) {
      const from = before[member]!.map((one) => ({ at: inside.get(one), middle: middleOf(blocks[one]!) }))
        .filter((one) => one.at !== undefined && one.at.y >= top && one.at.x < x);
      const middle = from.reduce((sum, one) => sum + one.at!.y + one.middle, 0) / (from.length || 1);
      const wanted = from.length > 0 && column.length < tallest ? middle - middleOf(blocks[member]!) : free;
      const y = Math.max(free, wanted);
      inside.set(member, { x, y });
      free = y + blocks[member]!.h + GAP;
    }
    bottom = Math.max(bottom, free - GAP);
    right = Math.max(right, x + width);
    x += width + LAYER_GAP;
  }
  return { rect: { w: right, h: bottom }, inside };
}

function middleOf(block: Block): number {
  return block.anchor ?? block.h / 2;
}

/** Return the layer of each member; edges that close a cycle are left out of account. */
function layersOf(members: number[], before: number[][], after: number[][]): Map<number, number> {
  const state = new Map<number, 1 | 2>();
  const backward = new Set<string>();
  const finished: number[] = [];
  const starts = [...members].sort((a, b) => before[a]!.length - before[b]!.length || a - b);
  for (const start of starts) {
    if (state.has(start)) continue;
    const stack: { node: number; next: number }[] = [{ node: start, next: 0 }];
    state.set(start, 1);
    while (stack.length > 0) {
      const top = stack[stack.length - 1]!;
      const to = after[top.node]![top.next++];
      if (to === undefined) {
        state.set(top.node, 2);
        finished.push(top.node);
        stack.pop();
      } else if (state.get(to) === 1) backward.add(`${top.node}>${to}`);
      else if (!state.has(to)) {
        state.set(to, 1);
        stack.push({ node: to, next: 0 });
      }
    }
  }
  const layer = new Map<number, number>(members.map((member) => [member, 0]));
  for (let index = finished.length - 1; index >= 0; index--) {
    const node = finished[index]!;
    for (const to of after[node]!)
      if (!backward.has(`${node}>${to}`)) layer.set(to, Math.max(layer.get(to)!, layer.get(node)! + 1));
  }
  // A source stands just before what it leads to, so that edges are short.
  for (const node of finished) {
    if (before[node]!.some((from) => !backward.has(`${from}>${node}`))) continue;
    const targets = after[node]!.filter((to) => !backward.has(`${node}>${to}`));
    if (targets.length > 0) layer.set(node, Math.max(0, Math.min(...targets.map((to) => layer.get(to)!)) - 1));
  }
  return layer;
}

function order(layers: number[][], before: number[][], after: number[][]): void {
  const rank = new Map<number, number>();
  const note = (one: number[]) => one.forEach((member, index) => rank.set(member, index / Math.max(1, one.length - 1)));
  layers.forEach(note);
  const sweep = (one: number[], sides: number[][]) => {
    const wanted = new Map(
      one.map((member) => {
        const there = sides[member]!.filter((other) => rank.has(other));
        const mean = there.reduce((sum, other) => sum + rank.get(other)!, 0) / (there.length || 1);
        return [member, there.length > 0 ? mean : rank.get(member)!];
      }),
    );
    one.sort((a, b) => wanted.get(a)! - wanted.get(b)! || a - b);
    note(one);
  };
  for (let round = 0; round < 3; round++) {
    for (let index = 1; index < layers.length; index++) sweep(layers[index]!, before);
    for (let index = layers.length - 2; index >= 0; index--) sweep(layers[index]!, after);
  }
}

/** Put blocks that nothing joins in rows of a grid. */
function grid(blocks: readonly Block[], members: number[]): { rect: Block; inside: Map<number, { x: number; y: number }> } {
  const inside = new Map<number, { x: number; y: number }>();
  const packed = pack(members.map((member) => blocks[member]!));
  let w = 0;
  let h = 0;
  members.forEach((member, index) => {
    inside.set(member, packed[index]!);
    w = Math.max(w, packed[index]!.x + blocks[member]!.w);
    h = Math.max(h, packed[index]!.y + blocks[member]!.h);
  });
  return { rect: { w, h }, inside };
}

/** Put rectangles in rows, in their order, with about the proportions of a screen. */
export function pack(rects: readonly Block[], gap = 2 * GAP): Rect[] {
  const area = rects.reduce((sum, rect) => sum + (rect.w + gap) * (rect.h + gap), 0);
  const widest = Math.max(Math.sqrt(area * ASPECT), ...rects.map((rect) => rect.w));
  let x = 0;
  let y = 0;
  let height = 0;
  return rects.map((rect) => {
    if (x > 0 && x + rect.w > widest) {
      x = 0;
      y += height + gap;
      height = 0;
    }
    const placed = { x, y, w: rect.w, h: rect.h };
    x += rect.w + gap;
    height = Math.max(height, rect.h);
    return placed;
  });
}
