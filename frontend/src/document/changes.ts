/** Changes of one text, gathered as a tree by path before any of them is made. */
import type { Path } from "./types";

/** Paths are those where things are written: no alias on the way (see locate.ts for that). */
export type Change =
  | { op: "set"; path: Path; value: unknown }
  | { op: "delete"; path: Path }
  | { op: "rename"; path: Path; to: string }
  /** Behind the last item; the list is made when there is none. */
  | { op: "append"; path: Path; values: unknown[] }
  /** Before the item with this index. */
  | { op: "insert"; path: Path; at: number; values: unknown[] };

export interface Twig {
  below: Map<string, Twig>;
  /** The keys below are indices. */
  list: boolean;
  set?: { value: unknown };
  gone: boolean;
  to?: string;
  append: unknown[];
  inserts: Map<number, unknown[]>;
}

export function twig(): Twig {
  return { below: new Map(), list: false, gone: false, append: [], inserts: new Map() };
}

/** Gather changes; the last word on a path wins. */
export function gather(changes: readonly Change[]): Twig {
  const root = twig();
  for (const change of changes) {
    let at = root;
    for (const key of change.path) {
      if (typeof key === "number") at.list = true;
      let next = at.below.get(String(key));
      if (!next) at.below.set(String(key), (next = twig()));
      at = next;
    }
    if (change.op === "set") {
      at.set = { value: change.value };
      at.gone = false;
    } else if (change.op === "delete") {
      at.gone = true;
      at.set = undefined;
    } else if (change.op === "rename") at.to = change.to;
    else if (change.op === "append") at.append.push(...change.values);
    else at.inserts.set(change.at, [...(at.inserts.get(change.at) ?? []), ...change.values]);
  }
  return root;
}

/** Return the value that a twig makes where nothing stands yet; undefined: nothing is to be made. */
export function built(twig: Twig): unknown {
  if (twig.gone) return undefined;
  if (twig.set && twig.below.size === 0) return twig.set.value;
  const added = [...[...twig.inserts.values()].flat(), ...twig.append];
  if (twig.list || added.length > 0) {
    const items = [...twig.below.values()].map(built).filter((item) => item !== undefined);
    return items.length + added.length > 0 ? [...items, ...added] : undefined;
  }
  const base = twig.set && typeof twig.set.value === "object" ? { ...(twig.set.value as object) } : {};
  const result = base as Record<string, unknown>;
  for (const [key, child] of twig.below) {
    const value = built(child);
    if (value !== undefined) {
      Object.defineProperty(result, key, { value, enumerable: true, configurable: true, writable: true });
    }
  }
  return Object.keys(result).length > 0 ? result : undefined;
}
