/** The file as Compose means it: aliases followed and merges (`<<`) folded in, within a budget. */
import { isAlias, isMap, isScalar, isSeq } from "yaml";
import type { Pair, YAMLMap, YAMLSeq } from "yaml";

import { isNothing, keyOf, resolve, textOf } from "./source";
import type { Node, Source } from "./source";
import type { Path } from "./types";

/** Raised when aliases blow a file up beyond what anybody draws. */
export class TooMuch extends Error {}

const BUDGET = 2_000_000;
const DEEPEST = 200;

export interface Entry {
  key: string;
  pair: Pair;
  /** The value with aliases followed; null for nothing. */
  value: Node | null;
  /** True when `<<` brought it. */
  merged: boolean;
  /** Where the pair is written, without aliases on the way. */
  written: Path;
}

/** A node with the path of the place where it is written. */
export interface Place {
  node: Node | null;
  written: Path;
}

export class Tree {
  private spent = 0;
  private homes: Map<Node, Path> | null = null;
  private readonly known = new WeakMap<Node, Map<string, Entry>>();
  private readonly keys = new WeakMap<Node, Map<string, Pair>>();

  constructor(readonly source: Source) {}

  spend(amount = 1): void {
    this.spent += amount;
    if (this.spent > BUDGET) throw new TooMuch();
  }

  get root(): Place {
    return { node: this.source.root, written: [] };
  }

  /** Follow aliases, so that the place is where the node is written. */
  settle(node: unknown, written: Path): Place {
    if (!isAlias(node)) return { node: isNothing(node) ? null : (node as Node), written };
    const target = resolve(this.source, node);
    return target && !isNothing(target) ? { node: target, written: this.homeOf(target) } : { node: null, written };
  }

  /** Return the entries of a map in order: its own, then what it inherits. No map: none. */
  entries(place: Place): ReadonlyMap<string, Entry> {
    if (!isMap(place.node)) return new Map<string, Entry>();
    let found = this.known.get(place.node);
    if (!found) {
      found = new Map<string, Entry>();
      this.collect(place.node, place.written, false, found, 0);
      this.known.set(place.node, found);
    }
    return found;
  }

  private collect(map: YAMLMap, written: Path, merged: boolean, found: Map<string, Entry>, depth: number): void {
    if (depth > DEEPEST) return;
    this.spend(map.items.length + 1);
    let merges: [Pair, string][] | null = null;
    for (const pair of map.items) {
      const key = keyOf(pair);
      if (key === "<<" && isScalar(pair.key) && pair.key.type === "PLAIN") (merges ??= []).push([pair, key]);
      else if (!found.has(key)) {
        const value = isAlias(pair.value) ? resolve(this.source, pair.value) : (pair.value as Node | null);
        found.set(key, { key, pair, value: isNothing(value) ? null : value, merged, written: [...written, key] });
      }
    }
    for (const [pair, key] of merges ?? []) {
      const into = this.settle(pair.value, [...written, key]);
      const parts = isSeq(into.node) ? this.items(into) : [into];
      for (const part of parts) if (isMap(part.node)) this.collect(part.node, part.written, true, found, depth + 1);
    }
  }

  items(place: Place): Place[] {
    if (!isSeq(place.node)) return [];
    const seq = place.node as YAMLSeq;
    this.spend(seq.items.length + 1);
    return seq.items.map((item, index) => this.settle(item, [...place.written, index]));
  }

  child(place: Place, key: string | number): Place | null {
    if (isSeq(place.node)) {
      const item = (place.node as YAMLSeq).items[Number(key)];
      return item === undefined ? null : this.settle(item, [...place.written, Number(key)]);
    }
    if (!isMap(place.node)) return null;
    const own = this.own(place.node, String(key));
    if (own) return this.settle(own.value, [...place.written, String(key)]);
    const entry = this.entries(place).get(String(key));
    return entry ? this.settle(entry.pair.value, entry.written) : null;
  }

  own(map: YAMLMap, key: string): Pair | undefined {
    if (map.items.length < 8) return map.items.find((pair) => keyOf(pair) === key);
    let index = this.keys.get(map);
    if (!index) {
      index = new Map<string, Pair>();
      for (const pair of map.items) if (!index.has(keyOf(pair))) index.set(keyOf(pair), pair);
      this.keys.set(map, index);
    }
    return index.get(key);
  }

  at(path: Path): Place | null {
    let place: Place | null = this.root;
    for (const key of path) place = place && this.child(place, key);
    return place;
  }

  /** Return the plain value of a node: strings, numbers, booleans, null, lists and maps. */
  plain(place: Place, depth = 0): unknown {
    this.spend();
    const { node } = place;
    if (depth > DEEPEST) throw new TooMuch();
    if (node === null) return null;
    if (isSeq(node)) return this.items(place).map((item) => this.plain(item, depth + 1));
    if (isMap(node)) {
      const result: Record<string, unknown> = {};
      for (const [key, entry] of this.entries(place)) {
        const value = this.plain(this.settle(entry.pair.value, entry.written), depth + 1);
        // A key named __proto__ is a key like any other.
        Object.defineProperty(result, key, { value, enumerable: true, configurable: true, writable: true });
      }
      return result;
    }
    return isScalar(node) ? (typeof node.value === "bigint" ? textOf(node) : node.value) : null;
  }

  /** Return where a node is written; anchored ones are looked up, since aliases lead to them from anywhere. */
  private homeOf(target: Node): Path {
    this.homes ??= pathsOfAnchors(this.source.root);
    return this.homes.get(target) ?? [];
  }
}

function pathsOfAnchors(root: Node | null): Map<Node, Path> {
  const homes = new Map<Node, Path>();
  const stack: { node: unknown; path: Path }[] = [{ node: root, path: [] }];
  for (let top = stack.pop(); top; top = stack.pop()) {
    const { node, path } = top;
    if ((isScalar(node) || isMap(node) || isSeq(node)) && node.anchor !== undefined) homes.set(node, path);
    // Deeper than this nothing is drawn, and the paths of a tower of brackets would fill the memory.
    if (path.length > DEEPEST) continue;
    if (isMap(node)) for (const pair of node.items) stack.push({ node: pair.value, path: [...path, keyOf(pair)] });
    else if (isSeq(node)) node.items.forEach((item, index) => stack.push({ node: item, path: [...path, index] }));
  }
  return homes;
}

export function sameValue(a: unknown, b: unknown): boolean {
  if (Object.is(a, b)) return true;
  if (typeof a !== "object" || typeof b !== "object" || a === null || b === null) return false;
  if (Array.isArray(a) !== Array.isArray(b)) return false;
  const keys = Object.keys(a);
  return (
    keys.length === Object.keys(b).length &&
    keys.every((key) => Object.hasOwn(b, key) && sameValue((a as never)[key], (b as never)[key]))
  );
}
