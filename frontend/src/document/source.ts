/** The parsed text, and how the file is written: what every other part of the pure half reads from. */
import { isAlias, isMap, isPair, isScalar, isSeq, parseDocument } from "yaml";
import type { Alias, Pair, Scalar, YAMLMap, YAMLSeq } from "yaml";

import type { Span } from "./types";

export type Node = Scalar | Alias | YAMLMap | YAMLSeq;

/** A mistake of the syntax; `code` is the library's. */
export interface Mistake extends Span {
  code: string;
}

/** How the file is written, for what is inserted to look like its neighbours. */
export interface Style {
  eol: string;
  step: number; // columns of one level
  dashStep: number; // columns between a key and the dashes of its list: 0 or `step`
  quote: "single" | "double";
}

export interface Source {
  text: string;
  root: Node | null;
  mistakes: Mistake[];
  /** More than one YAML document: only the first is read. */
  many: boolean;
  /** Where the first document ends: the next `---` or `...`, or the end of the text. */
  end: number;
  style: Style;
  /** Anchored nodes by name, in the order of the text; empty without aliases. */
  anchors: Map<string, Node[]>;
}

const KEPT = 3;
const recent: Source[] = [];

/** Parse a text; the last few are remembered, so a gesture costs one parse and not three. */
export function parse(text: string): Source {
  const found = recent.findIndex((source) => source.text === text);
  const source = found >= 0 ? (recent.splice(found, 1)[0] as Source) : read(text);
  recent.push(source);
  if (recent.length > KEPT) recent.shift();
  return source;
}

function read(text: string): Source {
  const source: Source = {
    text,
    root: null,
    mistakes: [],
    many: false,
    end: text.length,
    style: { eol: "\n", step: 2, dashStep: 2, quote: "double" },
    anchors: new Map(),
  };
  const nul = text.indexOf("\0");
  if (nul >= 0) {
    source.mistakes.push({ code: "BINARY", from: nul, to: nul + 1 });
    return source;
  }
  try {
    // Duplicate keys are looked for by ourselves: the library compares every key with every other one.
    const document = parseDocument(text, { uniqueKeys: false, prettyErrors: false, logLevel: "error", version: "1.2" });
    for (const { code, pos } of document.errors) {
      if (code === "MULTIPLE_DOCS") source.many = true;
      else if (source.mistakes.length < 100) source.mistakes.push({ code, from: pos[0], to: Math.max(pos[0], pos[1]) });
    }
    source.root = (document.contents as Node | null) ?? null;
    if (source.mistakes.length === 0) {
      if (text.includes("*")) collectAnchors(source);
      source.end = endOfDocument(source);
      source.style = styleOf(source);
    }
  } catch (error) {
    // Thousands of open brackets exhaust the stack; nobody writes that by hand.
    if (!(error instanceof RangeError)) throw error;
    source.root = null;
    source.mistakes = [{ code: "TOO_DEEP", from: 0, to: Math.min(1, text.length) }];
  }
  return source;
}

/** Return the characters that a scalar key or value stands for, as written when it is not a string: `1.10` stays. */
export function textOf(node: unknown): string {
  if (!isScalar(node)) return "";
  if (typeof node.value === "string") return node.value;
  return node.source ?? (node.value === null || node.value === undefined ? "" : String(node.value));
}

/** True for nothing at all and for a null, written or not. */
export function isNothing(node: unknown): boolean {
  return node === null || node === undefined || (isScalar(node) && (node.value === null || node.value === undefined));
}

export function rangeOf(node: Node): [number, number] {
  const range = node.range ?? [0, 0, 0];
  return [range[0], range[1]];
}

/** Visit every node in the order of the text, without recursion: files may be nested as deep as they like. */
export function walk(root: Node | null, visit: (node: Node) => void): void {
  const stack: unknown[] = [root];
  while (stack.length > 0) {
    const node = stack.pop();
    if (isPair(node)) stack.push(node.value, node.key);
    else if (isMap(node) || isSeq(node)) {
      visit(node);
      for (let i = node.items.length - 1; i >= 0; i--) stack.push(node.items[i]);
    } else if (isScalar(node) || isAlias(node)) visit(node);
  }
}

/** Note the anchors; an alias without one is a mistake, which the library tells only when values are asked for. */
function collectAnchors(source: Source): void {
  const { anchors, mistakes } = source;
  walk(source.root, (node) => {
    if (isAlias(node)) {
      if (anchors.has(node.source) || mistakes.length >= 100) return;
      const [from, to] = rangeOf(node);
      mistakes.push({ code: "BAD_ALIAS", from, to });
    } else if (node.anchor !== undefined) {
      const known = anchors.get(node.anchor);
      if (known) known.push(node);
      else anchors.set(node.anchor, [node]);
    }
  });
}

/** Return what an alias stands for: the last node of that anchor before it; null for an unknown or endless one. */
export function resolve(source: Source, node: unknown): Exclude<Node, Alias> | null {
  if (!isAlias(node)) return isScalar(node) || isMap(node) || isSeq(node) ? (node as Exclude<Node, Alias>) : null;
  const known = source.anchors.get(node.source);
  if (!known) return null;
  const at = rangeOf(node as Alias)[0];
  let low = 0;
  let high = known.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (rangeOf(known[middle] as Node)[0] < at) low = middle + 1;
    else high = middle;
  }
  return (known[low - 1] as Exclude<Node, Alias> | undefined) ?? null;
}

export function keyOf(pair: Pair): string {
  return textOf(pair.key);
}

function endOfDocument(source: Source): number {
  const { text, root } = source;
  let at = root ? rangeOf(root)[isMap(root) && !root.flow ? 0 : 1] : 0;
  if (root && isNothing(root)) at = 0;
  const marker = /^(---|\.\.\.)(?=\s|$)/gm;
  marker.lastIndex = at;
  for (let match = marker.exec(text); match; match = marker.exec(text)) {
    // The marker that a document starts with is not its end.
    const before = text.slice(0, match.index).replace(/^\ufeff/, "");
    const opens = match[0] === "---" && /^(\s*([#%].*)?(\r?\n|$))*$/.test(before.length < 10_000 ? before : "x");
    if (!opens && !insideBlock(root, match.index)) return match.index;
  }
  return text.length;
}

function insideBlock(root: Node | null, at: number): boolean {
  // Multi-line quoted strings cannot hold a marker at the beginning of a line, so only the root itself can.
  return root !== null && !isMap(root) && !isSeq(root) && rangeOf(root)[0] < at && at < rangeOf(root)[1];
}

function styleOf(source: Source): Style {
  const { text, root } = source;
  const crlf = text.split("\r\n").length - 1;
  const eol = crlf * 2 > text.split("\n").length - 1 ? "\r\n" : "\n";
  const steps = new Map<number, number>();
  let flush = 0;
  let indented = 0;
  let single = 0;
  let double = 0;
  const seen = { count: 0 };
  const visit = (node: Node | null, column: number): void => {
    if (!node || seen.count++ > 5_000) return;
    if (isScalar(node)) {
      if (node.type === "QUOTE_SINGLE") single++;
      else if (node.type === "QUOTE_DOUBLE") double++;
    } else if ((isMap(node) || isSeq(node)) && node.flow) {
      for (const item of node.items) visit((isPair(item) ? item.value : item) as Node | null, -1);
    } else if (isMap(node)) {
      const own = columnOf(text, rangeOf(node as YAMLMap)[0]);
      if (column >= 0 && own > column) steps.set(own - column, (steps.get(own - column) ?? 0) + 1);
      for (const pair of node.items) visit(pair.value as Node | null, own);
    } else if (isSeq(node)) {
      const own = columnOf(text, rangeOf(node as YAMLSeq)[0]);
      if (column >= 0 && own === column) flush++;
      else if (column >= 0) indented++;
      for (const item of node.items) visit(item as Node | null, -1);
    }
  };
  visit(root, -1);
  let step = 2;
  let most = 0;
  for (const [columns, count] of steps) if (count > most && columns <= 16) [step, most] = [columns, count];
  return { eol, step, dashStep: flush > indented ? 0 : step, quote: single > double ? "single" : "double" };
}

export function lineStart(text: string, at: number): number {
  const start = at === 0 ? 0 : text.lastIndexOf("\n", at - 1) + 1;
  return start === 0 && text.charCodeAt(0) === 0xfeff ? 1 : start;
}

/** Return where the next line begins, or the end of the text. */
export function nextLine(text: string, at: number): number {
  const end = text.indexOf("\n", at);
  return end < 0 ? text.length : end + 1;
}

export function columnOf(text: string, at: number): number {
  return at - lineStart(text, at);
}
