/** What the parts of `derive` share: the tree, short ways to read it, and the lists that they fill. */
import { isMap, isScalar, isSeq } from "yaml";

import { contentEnd } from "../layout";
import { rangeOf, textOf } from "../source";
import type { Node, Source } from "../source";
import { Tree } from "../tree";
import type { Entry, Place } from "../tree";
import type { DrawingEdge, DrawingNode, Fix, Message, NodeId, Path, Point, Problem, Severity, Span } from "../types";

export class Reader {
  readonly tree: Tree;
  readonly nodes: DrawingNode[] = [];
  readonly edges: DrawingEdge[] = [];
  readonly problems: Problem[] = [];
  private readonly edgeIds = new Map<string, number>();

  constructor(readonly source: Source) {
    this.tree = new Tree(source);
  }

  /** Return the entries of the map at a path from a place; none when there is no map. */
  entries(place: Place | null, ...keys: string[]): ReadonlyMap<string, Entry> {
    const found = this.go(place, ...keys);
    return found ? this.tree.entries(found) : new Map<string, Entry>();
  }

  go(place: Place | null, ...keys: string[]): Place | null {
    let at = place;
    for (const key of keys) at = at && this.tree.child(at, key);
    return at;
  }

  place(entry: Entry | undefined): Place | null {
    return entry ? this.tree.settle(entry.pair.value, entry.written) : null;
  }

  /** Return a scalar as written; "" for anything else. */
  text(entry: Entry | undefined): string {
    return entry && isScalar(entry.value) ? textOf(entry.value) : "";
  }

  textAt(place: Place | null, ...keys: string[]): string {
    const found = this.go(place, ...keys);
    return found && isScalar(found.node) ? textOf(found.node) : "";
  }

  span(entry: Entry): Span {
    const key = entry.pair.key as Node | null;
    const from = key?.range ? rangeOf(key)[0] : 0;
    return { from, to: Math.max(from, contentEnd(this.source.text, entry.pair)) };
  }

  spanOf(node: Node | null): Span | null {
    return node ? { from: rangeOf(node)[0], to: Math.max(rangeOf(node)[0], contentEnd(this.source.text, node)) } : null;
  }

  numbers(place: Place | null): number[] {
    if (!place || !isSeq(place.node)) return [];
    return this.tree.items(place).slice(0, 4).map(({ node }) => {
      const value = isScalar(node) ? Number(node.value) : Number.NaN;
      return Number.isFinite(value) ? Math.max(-1e6, Math.min(1e6, value)) : Number.NaN;
    });
  }

  /** Return where a node was placed by hand, and how large it was made. */
  geometry(canvas: ReadonlyMap<string, Entry>, name: string): { at: Point | null; size: Point | null } {
    const [x, y, w, h] = this.numbers(this.place(canvas.get(name)));
    const isPoint = (a: number | undefined, b: number | undefined): boolean => Number.isFinite(a) && Number.isFinite(b);
    return {
      at: isPoint(x, y) ? [x as number, y as number] : null,
      size: isPoint(w, h) ? [w as number, h as number] : null,
    };
  }

  edge(edge: Omit<DrawingEdge, "id">): void {
    const stem = `${edge.kind}:${nameOf(edge.source)}>${nameOf(edge.target)}`;
    const number = (this.edgeIds.get(stem) ?? 0) + 1;
    this.edgeIds.set(stem, number);
    this.edges.push({ id: number === 1 ? stem : `${stem}#${number}`, ...edge });
  }

  problem(
    severity: Severity, code: string, text: Message, path: Path,
    more: { span?: Span | null; node?: NodeId; fixes?: Fix[] } = {},
  ): void {
    if (this.problems.length >= 1_000) return;
    this.problems.push({
      severity, code, text, path, source: "drawing",
      ...(more.span ? { span: more.span } : {}),
      ...(more.node ? { node: more.node } : {}),
      ...(more.fixes ? { fixes: more.fixes } : {}),
    });
  }
}

export function nameOf(id: string): string {
  return id.slice(id.indexOf(":") + 1);
}

export function isMapPlace(place: Place | null): boolean {
  return place !== null && isMap(place.node);
}
