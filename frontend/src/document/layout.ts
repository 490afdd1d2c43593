/** Where entries and items begin and end in the text, with the comments that belong to them. */
import { isMap, isPair, isScalar, isSeq } from "yaml";
import type { Pair, YAMLMap, YAMLSeq } from "yaml";

import { columnOf, lineStart, nextLine, rangeOf } from "./source";
import type { Quote } from "./quoting";
import type { Node } from "./source";
import type { Span } from "./types";

export function isFlow(node: Node): boolean {
  return (isMap(node) || isSeq(node)) && node.flow === true;
}

export function isBlock(node: unknown): node is YAMLMap | YAMLSeq {
  return (isMap(node) || isSeq(node)) && node.flow !== true;
}

/** Return the offset behind the colon of a pair, or behind the key when it has none. */
export function afterColon(text: string, pair: Pair): number {
  const key = pair.key as Node | null;
  let at = key?.range ? rangeOf(key)[1] : pair.value ? rangeOf(pair.value as Node)[0] : 0;
  const start = at;
  while (at < text.length) {
    const sign = text[at] as string;
    if (sign === ":") return at + 1;
    if (sign === "#") at = nextLine(text, at) - 1;
    else if (!/\s/.test(sign)) return start;
    at++;
  }
  return start;
}

/** Return the offset behind the last character of a pair or node that is not a comment or white space. */
export function contentEnd(text: string, thing: Pair | Node | null | undefined): number {
  let current: unknown = thing;
  for (;;) {
    if (current === null || current === undefined) return 0;
    if (isMap(current) || isSeq(current)) {
      const last = current.items.at(-1);
      if (current.flow || last === undefined) return rangeOf(current)[1];
      current = last;
    } else if (isPair(current)) {
      const pair: Pair = current;
      const value = pair.value as Node | null;
      if (!value) return afterColon(text, pair);
      if (isScalar(value) && rangeOf(value)[0] === rangeOf(value)[1]) return Math.max(rangeOf(value)[1], afterColon(text, pair));
      current = value;
    } else {
      const node = current as Node;
      const [from, to] = rangeOf(node);
      if (!isScalar(node) || (node.type !== "BLOCK_LITERAL" && node.type !== "BLOCK_FOLDED")) return to;
      const header = text.slice(from, nextLine(text, from));
      let end = to;
      if (/^[|>]\d?\+/.test(header)) return text[end - 1] === "\n" ? end - (text[end - 2] === "\r" ? 2 : 1) : end;
      while (end > from && /\s/.test(text[end - 1] as string)) end--;
      return Math.max(end, from + 1);
    }
  }
}

/** The column at which the keys or dashes of a block collection stand. */
export function columnOfBlock(text: string, node: YAMLMap | YAMLSeq): number {
  const first = node.items[0];
  const key = isMap(node) ? ((first as Pair | undefined)?.key as Node | null) : null;
  const [from] = rangeOf(node);
  // An anchored key is preceded by its anchor: the collection's own offset is right then.
  return columnOf(text, key?.range ? Math.min(from, rangeOf(key)[0]) : from);
}

/** Return where an entry of a block map begins (its key, or the `?` before it). */
export function entryStart(text: string, map: YAMLMap, index: number): number {
  const pair = map.items[index] as Pair;
  const key = pair.key as Node | null;
  const at = key?.range ? rangeOf(key)[0] : rangeOf(map)[0];
  return index === 0 ? rangeOf(map)[0] : lineStart(text, at) + columnOfBlock(text, map);
}

/** Return where the dash of a block list's item stands. */
export function dashOf(text: string, seq: YAMLSeq, index: number): number {
  const [from] = rangeOf(seq);
  if (index === 0) return from;
  const column = columnOf(text, from);
  const item = seq.items[index] as Node;
  let start = lineStart(text, Math.max(0, rangeOf(item)[0] - (text[rangeOf(item)[0] - 1] === "\n" ? 1 : 0)));
  while (start > from) {
    if (text[start + column] === "-" && text.slice(start, start + column).trim() === "") return start + column;
    start = lineStart(text, start - 1);
  }
  return rangeOf(item)[0];
}

/** Return the end of the last line of something, with the deeper comments below it that are part of it. */
export function linesEnd(text: string, end: number, column: number, stop: number): number {
  let at = nextLine(text, end);
  let result = Math.min(at, stop);
  while (at < stop) {
    const next = nextLine(text, at);
    const line = text.slice(at, next);
    const lead = line.length - line.trimStart().length;
    if (line.trim() === "") at = next;
    else if (line[lead] === "#" && lead > column) result = at = next;
    else break;
  }
  return result;
}

/** Return where the comments begin that stand directly above a line, at the same column. */
export function leadStart(text: string, start: number, column: number, floor: number): number {
  let at = lineStart(text, start);
  while (at > floor) {
    const above = lineStart(text, at - 1);
    const line = text.slice(above, at);
    if (above < floor || line.length - line.trimStart().length !== column || line.trimStart()[0] !== "#") break;
    at = above;
  }
  return at;
}

export function isBlankLine(text: string, at: number): boolean {
  return at < text.length && text.slice(at, nextLine(text, at)).trim() === "";
}

/** Return the extent of an item of a flow collection: the offset of its first and behind its last character. */
export function flowItem(item: Pair | Node): Span {
  if (!isPair(item)) {
    const [from, to] = rangeOf(item);
    return { from, to };
  }
  const key = item.key as Node;
  const value = item.value as Node | null;
  return { from: rangeOf(key)[0], to: Math.max(rangeOf(key)[1], value ? rangeOf(value)[1] : 0) };
}

export function quoteOf(node: unknown): Quote {
  if (isScalar(node)) return node.type === "QUOTE_DOUBLE" ? "double" : node.type === "QUOTE_SINGLE" ? "single" : "plain";
  return isSeq(node) || isMap(node) ? commonQuote(node.items.map((item) => (isPair(item) ? item.value : item))) : "plain";
}

/** Return the quotes that all scalars among the nodes share; plain when they differ or there are fewer than `least`. */
export function commonQuote(nodes: readonly unknown[], least = 1): Quote {
  let found: Quote | null = null;
  let count = 0;
  for (const node of nodes.slice(-20)) {
    if (!isScalar(node) || (typeof node.value !== "string" && typeof node.value !== "number")) continue;
    const own = quoteOf(node);
    if (found !== null && found !== own) return "plain";
    found = own;
    count++;
  }
  return count < least ? "plain" : (found ?? "plain");
}

/** True for flow maps that are written as JSON, with quoted keys. */
export function isJson(node: unknown): boolean {
  return isMap(node) && node.items.length > 0 && node.items.every((pair) => quoteOf(pair.key) === "double");
}
