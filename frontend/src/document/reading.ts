/** Read single values and bodies out of a text. */
import { isMap, isSeq } from "yaml";
import type { Pair, YAMLMap } from "yaml";

import { afterColon, contentEnd, isBlock, linesEnd, columnOfBlock } from "./layout";
import { columnOf, keyOf, parse, rangeOf } from "./source";
import type { Node, Source } from "./source";
import { TooMuch, Tree } from "./tree";
import type { Path, Span } from "./types";

/** Return the plain value at a path as Compose sees it; undefined when there is none or the text is broken. */
export function valueOf(text: string, path: Path): unknown {
  const source = parse(text);
  if (source.mistakes.length > 0) return undefined;
  try {
    const tree = new Tree(source);
    const place = tree.at(path);
    return place ? tree.plain(place) : undefined;
  } catch (error) {
    if (error instanceof TooMuch || error instanceof RangeError) return undefined;
    throw error;
  }
}

/** Return where a path stands in the text (key and value); null when it is not there. */
export function spanOf(text: string, path: Path): Span | null {
  const source = parse(text);
  if (source.mistakes.length > 0 || !source.root) return null;
  if (path.length === 0) return { from: rangeOf(source.root)[0], to: contentEnd(text, source.root) };
  const tree = new Tree(source);
  const parent = tree.at(path.slice(0, -1));
  const key = path.at(-1) as string | number;
  if (parent && isSeq(parent.node)) {
    const item = parent.node.items[Number(key)] as Node | undefined;
    return item ? { from: rangeOf(item)[0], to: Math.max(rangeOf(item)[0], contentEnd(text, item)) } : null;
  }
  const entry = parent && tree.entries(parent).get(String(key));
  if (!entry) return null;
  const from = entry.pair.key ? rangeOf(entry.pair.key as Node)[0] : 0;
  return { from, to: Math.max(from, contentEnd(text, entry.pair)) };
}

/** A body in the text: where it stands, and how far its lines are indented. */
export interface Body extends Span {
  column: number;
  /** False: it begins on the line of its key, and `column` is that of the key. */
  below: boolean;
  pair: Pair;
  inFlow: boolean;
}

/** Find the body of a key that is written out at its path (no alias or merge on the way); null else. */
export function bodyAt(source: Source, path: Path): Body | null {
  const { text } = source;
  let node: Node | null = source.root;
  let pair: Pair | null = null;
  let inFlow = false;
  for (const key of path) {
    inFlow ||= (isMap(node) || isSeq(node)) && node.flow === true;
    if (isMap(node)) {
      pair = (node as YAMLMap).items.find((item) => keyOf(item) === String(key)) ?? null;
      if (!pair) return null;
      node = pair.value as Node | null;
    } else if (isSeq(node)) {
      pair = null;
      node = (node.items[Number(key)] as Node | undefined) ?? null;
    } else return null;
  }
  if (!pair) return null;
  const keyFrom = rangeOf(pair.key as Node)[0];
  const keyColumn = columnOf(text, keyFrom);
  const colon = afterColon(text, pair);
  if (isBlock(node) && !inFlow) {
    const props = /^[ \t]*((?:[&!][^\s]*[ \t]*)*)(#[^\n]*)?\r?\n/.exec(text.slice(colon, rangeOf(node)[0]));
    const from = props ? colon + props[0].length : rangeOf(node)[0];
    return { from, to: linesEnd(text, contentEnd(text, node), keyColumn, source.end), column: columnOfBlock(text, node), below: true, pair, inFlow };
  }
  const written = node && rangeOf(node)[0] !== rangeOf(node)[1];
  const from = written ? rangeOf(node as Node)[0] : colon;
  return { from, to: written ? contentEnd(text, node) : from, column: keyColumn, below: false, pair, inFlow };
}

/** Return the YAML text of the body at a path, without its indentation; "" when there is none. */
export function bodyOf(text: string, path: Path): string {
  const source = parse(text);
  if (path.length === 0) return text;
  if (source.mistakes.length > 0) return "";
  const body = bodyAt(source, path);
  if (!body) {
    const span = spanOf(text, path);
    return span ? text.slice(span.from, span.to) : "";
  }
  const lines = text.slice(body.from, body.to).replaceAll("\r\n", "\n");
  const dedented = lines.replace(new RegExp(`${body.below ? "^" : "(?<=\\n)"} {0,${body.column}}`, body.below ? "gm" : "g"), "");
  return dedented.replace(/\n$/, "");
}

