/** Where a change of a path is to be written when aliases and merges are on the way. */
import { isAlias, isMap, isSeq } from "yaml";

import type { Change } from "./changes";
import { Verbatim } from "./quoting";
import { isNothing, keyOf, textOf } from "./source";
import type { Node } from "./source";
import type { Tree } from "./tree";
import type { Message, Path } from "./types";

/** Raised when a change cannot be made; nothing is changed then. */
export class Refused extends Error {
  constructor(readonly refusal: Message) {
    super(refusal.key);
  }
}

/** `direct`: other changes of the same text can be made with it in one go. */
export interface Located {
  change: Change;
  direct: boolean;
}

/**
 * Return the change that sets (or, by undefined, deletes) what the path leads to: beside an alias or a merge instead of
 * in the body of the anchor, which others use. Null: there is nothing to change.
 */
export function locate(tree: Tree, path: Path, value: unknown): Located | null {
  let raw: Node | null = tree.source.root;
  for (let i = 0; i < path.length; i++) {
    const key = path[i] as string | number;
    const done = path.slice(0, i);
    if (isAlias(raw)) return besideAlias(tree, raw, done, path.slice(i), value);
    if (isMap(raw)) {
      const own = tree.own(raw, String(key));
      if (!own) return inherited(tree, raw, path, i, value);
      raw = own.value as Node | null;
    } else if (isSeq(raw)) {
      if (!/^\d+$/.test(String(key))) {
        if (value === undefined) return null;
        if (i === 0) throw new Refused({ key: "document.not_a_map" });
        throw new Refused({ key: "document.is_list", params: { path: done.join(".") } });
      }
      const item: unknown = raw.items[Number(key)];
      if (item === undefined) return value === undefined ? null : { change: { op: "set", path, value }, direct: true };
      raw = item as Node;
    } else {
      if (raw !== null && !isNothing(raw)) {
        if (value === undefined) return null;
        if (i === 0) throw new Refused({ key: "document.not_a_map" });
        // `build: .` is short for its context; nothing else that is short is known to have keys.
        if (done.at(-1) !== "build" || i + 1 < path.length) throw new Refused({ key: "document.is_text", params: { path: done.join(".") } });
        return { change: { op: "set", path: done, value: { context: textOf(raw), [key]: value } }, direct: true };
      }
      return value === undefined ? null : { change: { op: "set", path, value }, direct: true };
    }
  }
  return { change: value === undefined ? { op: "delete", path } : { op: "set", path, value }, direct: true };
}

function besideAlias(tree: Tree, alias: Node, done: Path, rest: Path, value: unknown): Located | null {
  const target = tree.settle(alias, done);
  const here = (made: unknown): Located => ({ change: { op: "set", path: done, value: made }, direct: false });
  if (value === undefined) {
    const copy = tree.plain(target);
    return without(copy, rest) ? here(copy) : null;
  }
  if (isMap(target.node)) {
    const [first, ...deeper] = rest as [string | number, ...Path];
    const child = tree.child(target, first);
    const own = deeper.length === 0 ? value : changed(child ? tree.plain(child) : null, deeper, value);
    return here({ "<<": new Verbatim(`*${(alias as { source?: string }).source ?? ""}`), [String(first)]: own });
  }
  return here(changed(isSeq(target.node) ? tree.plain(target) : null, rest, value));
}

function inherited(tree: Tree, map: Node, path: Path, i: number, value: unknown): Located | null {
  const key = String(path[i]);
  const entry = tree.entries({ node: map, written: path.slice(0, i) }).get(key);
  if (!entry) return value === undefined ? null : { change: { op: "set", path, value }, direct: true };
  const rest = path.slice(i + 1);
  const here = (made: unknown): Located => ({ change: { op: "set", path: path.slice(0, i + 1), value: made }, direct: false });
  if (rest.length === 0) {
    if (value === undefined) throw new Refused({ key: "document.inherited", params: { name: key } });
    return here(value);
  }
  const copy = tree.plain(tree.settle(entry.pair.value, entry.written));
  if (value !== undefined) return here(changed(copy, rest, value));
  return without(copy, rest) ? here(copy) : null;
}

/** Return a plain value with what the path leads to replaced. */
export function changed(base: unknown, path: Path, value: unknown): unknown {
  const [key, ...rest] = path;
  if (key === undefined) return value;
  if (Array.isArray(base)) {
    const copy = [...(base as unknown[])];
    copy[Math.min(Number(key), copy.length)] = changed(copy[Number(key)], rest, value);
    return copy;
  }
  if (typeof key === "number") return [changed(null, rest, value)];
  const map = typeof base === "object" && base !== null ? (base as Record<string, unknown>) : {};
  return { ...map, [key]: changed(map[key], rest, value) };
}

/** Delete what a path leads to in a plain value; false when it was not there. */
export function without(base: unknown, path: Path): boolean {
  const [key, ...rest] = path;
  if (typeof base !== "object" || base === null || key === undefined) return false;
  if (rest.length > 0) return without((base as Record<string, unknown>)[String(key)], rest);
  if (Array.isArray(base)) return base.splice(Number(key), 1).length > 0;
  if (!Object.hasOwn(base, String(key))) return false;
  return delete (base as Record<string, unknown>)[String(key)];
}

export function hasMerge(map: Node | null): boolean {
  return isMap(map) && map.items.some((pair) => keyOf(pair) === "<<");
}
