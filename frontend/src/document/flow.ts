/** Edits inside `{…}` and `[…]`, on one line or on many. */
import { isMap, isScalar, isSeq } from "yaml";
import type { Pair, YAMLMap, YAMLSeq } from "yaml";

import { built } from "./changes";
import type { Twig } from "./changes";
import { commonQuote, flowItem, isJson, quoteOf } from "./layout";
import { flowText, keyText } from "./quoting";
import { keyOf, lineStart, nextLine, rangeOf } from "./source";
import type { Node, Source } from "./source";
import type { Path, TextEdit } from "./types";

export interface FlowContext {
  source: Source;
  edits: TextEdit[];
  /** Change one entry of a map; true when it is to be removed. */
  pair: (pair: Pair, change: Twig, path: Path, inFlow: boolean) => boolean;
  /** Change the inside of a collection; true when nothing is left of it. */
  inside: (node: Node, change: Twig, path: Path) => boolean;
}

type Collection = YAMLMap | YAMLSeq;

/** Change the inside of a flow collection; true when nothing is left in it (then no edit was made for that). */
export function changeFlow(context: FlowContext, node: Collection, changes: Twig, path: Path): boolean {
  const gone: number[] = [];
  const texts: string[] = [];
  const before: { at: number; texts: string[] }[] = [];
  const { style } = context.source;
  const json = isJson(node) || (isMap(node) ? false : node.items.some(isJson));
  if (isMap(node)) {
    const want = json ? "double" : commonQuote(node.items.map((pair) => pair.value), 2);
    const seen = new Set<string>();
    node.items.forEach((pair, index) => {
      const key = keyOf(pair);
      const change = changes.below.get(key);
      if (!change || seen.has(key)) return;
      seen.add(key);
      if (context.pair(pair, change, [...path, key], true)) gone.push(index);
    });
    for (const [key, change] of changes.below) {
      const value = seen.has(key) ? undefined : built(change);
      if (value === undefined) continue;
      texts.push(`${keyText(key, json ? "double" : "plain", style, true, value)}: ${flowText(value, want, style, json)}`);
    }
  } else {
    const want = json ? "double" : commonQuote(node.items);
    const added: unknown[] = [];
    for (const [key, change] of changes.below) {
      const item = node.items[Number(key)] as Node | undefined;
      if (item === undefined) {
        const value = built(change);
        if (value !== undefined) added.push(value);
      } else if (change.gone) gone.push(Number(key));
      else if (!change.set && (isMap(item) || isSeq(item))) {
        if (context.inside(item, change, [...path, Number(key)])) gone.push(Number(key));
      } else replaceItem(context, item, change.set && change.below.size === 0 ? change.set.value : built(change), json);
    }
    for (const [at, values] of changes.inserts) {
      if (at >= node.items.length) added.push(...values);
      else before.push({ at, texts: values.map((value) => flowText(value, want, style, json)) });
    }
    texts.push(...[...added, ...changes.append].map((value) => flowText(value, want, style, json)));
  }
  gone.sort((a, b) => a - b);
  const nothing = gone.length === node.items.length && texts.length === 0 && before.length === 0;
  if (nothing && node.items.length > 0) return true;
  if (gone.length === node.items.length) {
    if (texts.length > 0 || before.length > 0) fill(context, node, [...before.flatMap((part) => part.texts), ...texts]);
    return false;
  }
  for (const { at, texts: parts } of before) {
    const start = itemFrom(context.source.text, node, at);
    context.edits.push({ from: start, to: start, insert: parts.map((part) => `${part}, `).join("") });
  }
  removeItems(context, node, gone);
  if (texts.length > 0) append(context, node, gone, texts);
  return false;
}

function replaceItem(context: FlowContext, item: Node, value: unknown, json: boolean): void {
  const { style } = context.source;
  const [from, to] = rangeOf(item);
  if (isScalar(item) && item.value === value) return;
  context.edits.push({ from, to, insert: flowText(value, json ? "double" : quoteOf(item), style, json) });
}

/** Write the whole inside anew. */
function fill(context: FlowContext, node: Collection, texts: string[]): void {
  const [from, to] = rangeOf(node);
  const body = texts.join(", ");
  context.edits.push({ from: from + 1, to: to - 1, insert: isMap(node) ? ` ${body} ` : body });
}

/** Return the offset of the comma behind an item, or -1. */
function commaBehind(text: string, node: Collection, index: number): number {
  let at = flowItem(node.items[index] as Pair | Node).to;
  const end = rangeOf(node)[1] - 1;
  while (at < end) {
    const sign = text[at] as string;
    if (sign === ",") return at;
    if (sign === "#" && /\s/.test(text[at - 1] ?? "")) at = nextLine(text, at);
    else if (/[\s:]/.test(sign)) at++;
    else return -1;
  }
  return -1;
}

/** Return where an item begins, with its anchor and tag. */
function itemFrom(text: string, node: Collection, index: number): number {
  let at = index === 0 ? rangeOf(node)[0] + 1 : commaBehind(text, node, index - 1) + 1;
  const start = flowItem(node.items[index] as Pair | Node).from;
  while (at < start && (/\s/.test(text[at] as string) || text[at] === "#")) at = text[at] === "#" ? nextLine(text, at) : at + 1;
  return Math.min(at, start);
}

/** True when nothing but the item, its comma and a comment stands on its lines. */
function isAlone(text: string, from: number, to: number): boolean {
  return text.slice(lineStart(text, from), from).trim() === "" && /^\s*,?[ \t]*(#.*)?\r?$/.test(text.slice(to, nextLine(text, to)).replace(/\n$/, ""));
}

function removeItems(context: FlowContext, node: Collection, gone: number[]): void {
  const { text } = context.source;
  const kept = node.items.length - gone.length;
  for (let i = 0; i < gone.length && kept > 0; i++) {
    const first = gone[i] as number;
    let last = first;
    while (gone[i + 1] === last + 1) last = gone[++i] as number;
    const from = itemFrom(text, node, first);
    const to = flowItem(node.items[last] as Pair | Node).to;
    const comma = commaBehind(text, node, last);
    if (isAlone(text, from, to)) {
      context.edits.push({ from: lineStart(text, from), to: nextLine(text, Math.max(to, comma)), insert: "" });
      const open = last === node.items.length - 1 && comma < 0 ? commaBehind(text, node, first - 1) : -1;
      if (open >= 0) context.edits.push({ from: open, to: open + 1, insert: "" });
    } else if (last + 1 < node.items.length) context.edits.push({ from, to: itemFrom(text, node, last + 1), insert: "" });
    else context.edits.push({ from: flowItem(node.items[first - 1] as Pair | Node).to, to, insert: "" });
  }
}

function append(context: FlowContext, node: Collection, gone: number[], texts: string[]): void {
  const { text, style } = context.source;
  if (node.items.length === 0) {
    fill(context, node, texts);
    return;
  }
  let last = node.items.length - 1;
  while (gone.includes(last)) last--;
  const from = itemFrom(text, node, last);
  const to = flowItem(node.items[last] as Pair | Node).to;
  if (last === node.items.length - 1 && isAlone(text, from, to)) {
    const comma = commaBehind(text, node, last);
    const indent = text.slice(lineStart(text, from), from);
    const line = nextLine(text, Math.max(to, comma));
    if (comma < 0) context.edits.push({ from: to, to, insert: "," });
    const joined = texts.map((part) => indent + part).join(`,${style.eol}`);
    context.edits.push({ from: line, to: line, insert: joined + (comma < 0 ? "" : ",") + style.eol });
  } else {
    // The removal of what stood behind begins at the same offset, and the comma before it goes with it.
    context.edits.push({ from: to, to, insert: texts.map((part) => `, ${part}`).join("") });
  }
}
