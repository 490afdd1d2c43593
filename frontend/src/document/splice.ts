/** Turn changes of values into edits of the text that touch nothing else. */
import { isAlias, isMap, isScalar, isSeq } from "yaml";
import type { Pair, Scalar, YAMLMap, YAMLSeq } from "yaml";

import { built, gather, twig } from "./changes";
import type { Change, Twig } from "./changes";
import { compose } from "./compose";
import { applyEdits } from "./edits";
import { changeFlow } from "./flow";
import type { FlowContext } from "./flow";
import {
  afterColon, columnOfBlock, commonQuote, contentEnd, dashOf, entryStart, isBlankLine, isBlock, isFlow, isJson, leadStart,
  linesEnd, quoteOf,
} from "./layout";
import { blockText, entryTexts, flowText, Flow, isPlainMap, itemText, quoted, Verbatim } from "./quoting";
import type { Quote } from "./quoting";
import { isNothing, keyOf, lineStart, nextLine, rangeOf, textOf } from "./source";
import type { Node, Source } from "./source";
import { sameValue, Tree } from "./tree";
import type { Path, TextEdit } from "./types";

/** Return the edits that make the changes; the text's last line keeps its end, or its lack of one. */
export function splice(source: Source, changes: readonly Change[]): TextEdit[] {
  const writer = new Splicer(source);
  writer.run(gather(changes));
  const edits = writer.edits.sort((a, b) => a.from - b.from || a.to - b.to);
  const { text, style } = source;
  const after = applyEdits(text, edits);
  if (text === "" || text.endsWith("\n") === after.endsWith("\n")) return edits;
  const fix = text.endsWith("\n")
    ? { from: after.length, to: after.length, insert: style.eol }
    : { from: after.length - (after.endsWith("\r\n") ? 2 : 1), to: after.length, insert: "" };
  return compose(text.length, edits, [fix]);
}

/** Names stand here: an entry without a body is still something. */
function keepsEmpty(path: Path): "null" | "{}" | "prune" {
  const [top, , third] = path;
  if (path.length === 2 && top === "services") return "{}";
  if (path.length === 1 && top === "services") return "{}";
  if (path.length === 2 && ["volumes", "networks", "configs", "secrets"].includes(String(top))) return "null";
  if (path.length === 3 && top === "x-escale" && ["machines", "regions"].includes(String(path[1]))) return "null";
  if (path.length === 4 && top === "services" && third === "networks") return "null";
  if (path.length === 4 && top === "services" && third === "depends_on") return "{}";
  return "prune";
}

class Splicer {
  readonly edits: TextEdit[] = [];
  private readonly text: string;
  private readonly tree: Tree;

  private readonly flow: FlowContext;

  constructor(private readonly source: Source) {
    this.text = source.text;
    this.tree = new Tree(source);
    this.flow = {
      source,
      edits: this.edits,
      pair: (pair, change, path, inFlow) => this.pair(pair, change, path, inFlow),
      inside: (node, change, path) => this.inside(node, change, path),
    };
  }

  run(root: Twig): void {
    const node = this.source.root;
    if (node === null || isNothing(node)) {
      const value = built(root);
      if (isPlainMap(value)) this.atEnd(entryTexts(value, 0, this.source.style));
    } else this.inside(node, root, []);
  }

  private edit(from: number, to: number, insert: string): void {
    if (from !== to || insert !== "") this.edits.push({ from, to, insert });
  }

  /** Change the inside of a collection; true when nothing is left in it. */
  private inside(node: Node, changes: Twig, path: Path): boolean {
    if (isFlow(node)) return changeFlow(this.flow, node as YAMLMap | YAMLSeq, changes, path);
    if (isMap(node)) return this.blockMap(node, changes, path);
    if (isSeq(node)) return this.blockSeq(node, changes, path);
    return false;
  }

  /** Change one entry; true when it is to be removed. */
  private pair(pair: Pair, change: Twig, path: Path, inFlow: boolean): boolean {
    if (change.gone) return true;
    if (change.to !== undefined) this.renameKey(pair.key as Scalar, change.to, inFlow);
    const value = pair.value as Node | null;
    const deeper = change.below.size > 0 || change.append.length > 0 || change.inserts.size > 0;
    if (change.set) {
      this.replaceValue(pair, change.below.size > 0 ? built(change) : change.set.value, path, inFlow);
    } else if (deeper && !inFlow && value && isFlowEmpty(value)) this.replaceWhole(pair, built(change), inFlow);
    else if (deeper && isMap(value) && !change.list && change.append.length === 0) return this.emptied(pair, change, path, inFlow);
    else if (deeper && isSeq(value)) return this.emptied(pair, change, path, inFlow);
    else if (deeper) {
      const made = built(change);
      if (made !== undefined) this.replaceValue(pair, made, path, inFlow);
    }
    return false;
  }

  private emptied(pair: Pair, change: Twig, path: Path, inFlow: boolean): boolean {
    const node = pair.value as YAMLMap | YAMLSeq;
    const before = this.edits.length;
    if (!this.inside(node, change, path)) return false;
    const keep = keepsEmpty(path);
    this.edits.length = before;
    // An anchor stays, since others may lead to it.
    if (keep === "prune" && node.anchor === undefined) return true;
    this.replaceWhole(pair, isSeq(node) ? [] : keep === "null" && !inFlow ? null : {}, inFlow);
    return false;
  }

  private renameKey(key: Scalar, to: string, inFlow: boolean): void {
    const [from, end] = rangeOf(key);
    if (textOf(key) !== to) this.edit(from, end, quoted(to, quoteOf(key), this.source.style, inFlow));
  }

  private replaceValue(pair: Pair, value: unknown, path: Path, inFlow: boolean): void {
    const node = pair.value as Node | null;
    if (isMap(node) && isPlainMap(value) && this.mapByEntries(node, value, path)) return;
    if (isSeq(node) && node.items.length > 0 && Array.isArray(value) && value.length > 0) {
      this.inside(node, difference(this.tree, node, value), path);
      return;
    }
    if (isMap(node) && value instanceof Flow && isPlainMap(value.value)) {
      if (this.mapByEntries(node, value.value, path)) return;
    }
    this.replaceWhole(pair, value, inFlow);
  }

  /** Write a map over a map entry by entry, so that what is equal stays as it is. */
  private mapByEntries(node: YAMLMap, value: Record<string, unknown>, path: Path): boolean {
    const wanted = Object.entries(value).filter(([, item]) => item !== undefined);
    if (wanted.length === 0 || node.items.length === 0 || node.items.some((item) => keyOf(item) === "<<")) return false;
    const keys = new Set(node.items.map(keyOf));
    if (keys.size < node.items.length || ![...keys].some((key) => value[key] !== undefined)) return false;
    this.inside(node, difference(this.tree, node, value), path);
    return true;
  }

  private replaceWhole(pair: Pair, value: unknown, inFlow: boolean): void {
    const { text } = this;
    const { style } = this.source;
    const node = pair.value as Node | null;
    const colon = afterColon(text, pair);
    const key = pair.key as Node;
    if (isScalar(node) && !(value instanceof Verbatim) && this.isSame(node, value)) return;
    const props = this.propsEnd(colon, node);
    const missing = text[colon - 1] === ":" ? "" : ":";
    const want = quoteOf(node);
    if (inFlow) {
      const end = node && !isNothingWritten(node) ? rangeOf(node)[1] : props;
      const json = (key as Scalar).type === "QUOTE_DOUBLE";
      const written = flowText(value, json ? "double" : want, style, json);
      const start = node && !isNothingWritten(node) ? rangeOf(node)[0] : props;
      this.edit(start, end, start === props && !/\s/.test(text[start - 1] ?? "") ? `${missing} ${written}` : written);
      return;
    }
    const column = this.columnOfKey(key);
    const name = textOf(key);
    if (isBlock(node) && value !== null && !isPlainMap(value) && !Array.isArray(value)) {
      this.edit(props, contentEnd(text, node), blockText(value, column, style, want, name));
    } else if (node && !isNothingWritten(node)) {
      const written = isFlow(node) && typeof value === "object" && value !== null && !isFlowEmpty(node)
        ? ` ${flowText(value, want, style, isJson(node))}`
        : blockText(value, column, style, want, name);
      const start = rangeOf(node)[0];
      // A scalar takes the place of a scalar; blanks before it stay as they are aligned.
      if (written.startsWith(" ") && !isBlock(node)) this.edit(start, contentEnd(text, node), written.slice(1));
      else this.edit(props, contentEnd(text, node), written);
    } else {
      const written = blockText(value, column, style, want, name);
      // `key: # comment`: a block goes below the comment, a scalar before it.
      const at = written.startsWith(" ") || text.slice(props, nextLine(text, props)).trim() === "" ? props : endOfLine(text, props);
      this.edit(at, at, missing + written);
    }
  }

  private isSame(node: Scalar, value: unknown): boolean {
    if (value === null) return node.value === null;
    return typeof value !== "object" && node.value === value && node.source !== "";
  }

  /** Return the offset behind the tag and anchor between a colon and its value. */
  private propsEnd(colon: number, node: Node | null): number {
    const until = node ? rangeOf(node)[0] : colon;
    const between = this.text.slice(colon, Math.max(colon, until));
    const props = /^[ \t]*((?:[&!][^\s]*[ \t]*)+)/.exec(between);
    return props ? colon + props[0].trimEnd().length : colon;
  }

  /** The column that the levels below a key count from: its own, also behind a dash. */
  private columnOfKey(key: Node): number {
    return rangeOf(key)[0] - lineStart(this.text, rangeOf(key)[0]);
  }

  private blockMap(map: YAMLMap, changes: Twig, path: Path): boolean {
    const gone: number[] = [];
    const seen = new Set<string>();
    map.items.forEach((pair, index) => {
      const key = keyOf(pair);
      const change = changes.below.get(key);
      if (!change || seen.has(key)) return;
      seen.add(key);
      if (this.pair(pair, change, [...path, key], false)) gone.push(index);
    });
    const added: Record<string, unknown> = {};
    for (const [key, change] of changes.below) {
      const value = seen.has(key) ? undefined : built(change);
      if (value !== undefined) added[key] = value;
    }
    const more = Object.keys(added).length > 0;
    if (gone.length === map.items.length && !more && map.items.length > 0) {
      if (path.length === 0) this.removeBlock(map, gone, 0);
      return true;
    }
    const column = columnOfBlock(this.text, map);
    if (gone.length > 0) this.removeBlock(map, gone, column);
    if (more) {
      // One quoted image says nothing about the other keys.
      const quotes = commonQuote(map.items.map((pair) => pair.value), 2);
      const keys = commonQuote(map.items.map((pair) => pair.key));
      const lines = entryTexts(added, column, this.source.style, quotes, keys);
      this.insertBlock(map, lines.map((line) => " ".repeat(column) + line), gone, path.length <= 2);
    }
    return false;
  }

  private blockSeq(seq: YAMLSeq, changes: Twig, path: Path): boolean {
    const { style } = this.source;
    const gone: number[] = [];
    const column = columnOfBlock(this.text, seq);
    const want = commonQuote(seq.items);
    const added: unknown[] = [];
    for (const [key, change] of changes.below) {
      const index = Number(key);
      const item = seq.items[index] as Node | undefined;
      if (item === undefined) {
        const value = built(change);
        if (value !== undefined) added.push(value);
      } else if (change.gone) gone.push(index);
      else if (change.set && change.below.size === 0) this.replaceItem(seq, index, change.set.value, column, want);
      else if ((isMap(item) || isSeq(item)) && this.inside(item, change, [...path, index])) gone.push(index);
      else if (isScalar(item)) this.replaceItem(seq, index, built(change), column, want);
    }
    added.push(...changes.append);
    for (const [at, values] of changes.inserts) {
      if (at >= seq.items.length) {
        added.push(...values);
        continue;
      }
      const dash = dashOf(this.text, seq, at);
      const lines = values.map((value) => itemText(value, column, style, want));
      const start = leadStart(this.text, dash, column, rangeOf(seq)[0]);
      if (at > 0 || this.text.slice(lineStart(this.text, dash), dash).trim() === "") {
        this.edit(start, start, lines.map((line) => line + style.eol).join(""));
      } else this.edit(dash, dash, `${lines.join(style.eol).trimStart()}${style.eol}${" ".repeat(column)}`);
    }
    if (gone.length === seq.items.length && added.length === 0 && changes.inserts.size === 0 && gone.length > 0) return true;
    gone.sort((a, b) => a - b);
    if (gone.length > 0) this.removeBlock(seq, gone, column);
    if (added.length > 0) this.insertBlock(seq, added.map((value) => itemText(value, column, style, want)), gone, false);
    return false;
  }

  private replaceItem(seq: YAMLSeq, index: number, value: unknown, column: number, want: Quote): void {
    const item = seq.items[index] as Node;
    if (isScalar(item) && this.isSame(item, value)) return;
    if (sameValue(this.tree.plain(this.tree.settle(item, [])), bare(value)) && !isAlias(item)) return;
    const { style } = this.source;
    const own: Quote = isScalar(item) ? quoteOf(item) : want;
    if (isMap(item) && isPlainMap(value) && item.items.length > 0) {
      const change = difference(this.tree, item, value);
      if (!item.items.some((pair) => keyOf(pair) === "<<") && !this.inside(item, change, ["", index])) return;
    }
    const written = isFlow(item) ? flowText(value, own, style, isJson(item)) : itemText(value, column, style, own).trimStart().slice(2);
    const [from] = rangeOf(item);
    const start = isBlock(item) || isNothingWritten(item) ? this.propsEndOfItem(seq, index) : from;
    this.edit(start, Math.max(start, contentEnd(this.text, item)), start === from ? written : ` ${written}`);
  }

  private propsEndOfItem(seq: YAMLSeq, index: number): number {
    return dashOf(this.text, seq, index) + 1;
  }

  /** Remove entries or items with their comments, and one of two blank lines that would meet. */
  private removeBlock(block: YAMLMap | YAMLSeq, gone: number[], column: number): void {
    const { text } = this;
    for (let i = 0; i < gone.length; i++) {
      const first = gone[i] as number;
      let last = first;
      while (gone[i + 1] === last + 1) last = gone[++i] as number;
      const start = this.itemStart(block, first);
      const behind = linesEnd(text, contentEnd(text, block.items[last] as never), column, this.source.end);
      if (text.slice(lineStart(text, start), start).trim() !== "") {
        // The first item stands behind a dash: the next one takes its place.
        const next = block.items[last + 1] === undefined ? behind : this.itemStart(block, last + 1);
        const between = text.slice(behind, next);
        this.edit(start, between.trim() === "" ? next : contentEnd(text, block.items[last] as never), "");
        continue;
      }
      const floor = first > 0 ? nextLine(text, contentEnd(text, block.items[first - 1] as never)) : 0;
      let from = leadStart(text, start, column, floor);
      let to = behind;
      const above = from > 0 ? lineStart(text, from - 1) : 0;
      const opens = first === 0 || isBlankLine(text, above);
      if (opens && isBlankLine(text, to) && to < this.source.end) while (to < this.source.end && isBlankLine(text, to)) to = nextLine(text, to);
      else if (to >= text.length && first > 0) while (from > 0 && isBlankLine(text, lineStart(text, from - 1))) from = lineStart(text, from - 1);
      this.edit(from, to, "");
    }
  }

  private itemStart(block: YAMLMap | YAMLSeq, index: number): number {
    return isMap(block) ? entryStart(this.text, block, index) : dashOf(this.text, block, index);
  }

  /** Insert lines behind the last entry that stays. */
  private insertBlock(block: YAMLMap | YAMLSeq, lines: string[], gone: number[], spaced: boolean): void {
    const { text } = this;
    const { eol } = this.source.style;
    const column = columnOfBlock(text, block);
    let last = block.items.length - 1;
    while (last >= 0 && gone.includes(last)) last--;
    if (last < 0) {
      // All that was there goes, and something else comes.
      const start = this.itemStart(block, 0);
      const lead = text.slice(lineStart(text, start), start).trim() === "" ? lineStart(text, start) : start;
      this.edit(lead, lead, lead === start ? `${lines.join(eol).trimStart()}${eol}${" ".repeat(column)}` : lines.join(eol) + eol);
      return;
    }
    const at = linesEnd(text, contentEnd(text, block.items[last] as never), column, this.source.end);
    const gap = spaced && this.areSpaced(block) ? eol : "";
    const insert = lines.map((line) => gap + line + eol).join("");
    this.edit(at, at, at > 0 && text[at - 1] !== "\n" ? eol + insert : insert);
  }

  /** True when blank lines stand between the entries. */
  private areSpaced(block: YAMLMap | YAMLSeq): boolean {
    let spaced = 0;
    const sample = Math.min(block.items.length, 20);
    for (let i = 1; i < sample; i++) {
      const start = leadStart(this.text, this.itemStart(block, i), columnOfBlock(this.text, block), 0);
      if (start > 0 && isBlankLine(this.text, lineStart(this.text, start - 1))) spaced++;
    }
    return spaced * 2 >= sample && spaced > 0;
  }

  /** Insert top-level entries into a file that has none. */
  private atEnd(lines: string[]): void {
    const { text } = this;
    const { end, style } = this.source;
    const lead = end > 0 && text[end - 1] !== "\n" && text.slice(0, end) !== "\ufeff" ? style.eol : "";
    this.edit(end, end, lead + lines.map((line) => line + style.eol).join(""));
  }
}

/** Return the changes that make a collection equal to a value. */
function difference(tree: Tree, node: YAMLMap | YAMLSeq, value: unknown): Twig {
  const change = twig();
  if (isMap(node)) {
    const wanted = value as Record<string, unknown>;
    const known = new Map(node.items.map((item) => [keyOf(item), item]));
    for (const key of known.keys()) if (wanted[key] === undefined) change.below.set(key, { ...twig(), gone: true });
    for (const [key, item] of Object.entries(wanted)) {
      const now = known.get(key);
      if (item === undefined || (now && sameValue(tree.plain(tree.settle(now.value, [])), bare(item)))) continue;
      change.below.set(key, { ...twig(), set: { value: item } });
    }
    return change;
  }
  change.list = true;
  const items = value as unknown[];
  const now = node.items.map((item) => tree.plain(tree.settle(item, [])));
  let head = 0;
  const shorter = Math.min(now.length, items.length);
  while (head < shorter && sameValue(now[head], bare(items[head]))) head++;
  let tail = 0;
  while (tail < shorter - head && sameValue(now[now.length - 1 - tail], bare(items[items.length - 1 - tail]))) tail++;
  const paired = Math.min(now.length, items.length) - head - tail;
  for (let i = head; i < head + paired; i++) change.below.set(String(i), { ...twig(), set: { value: items[i] } });
  for (let i = head + paired; i < now.length - tail; i++) change.below.set(String(i), { ...twig(), gone: true });
  const extra = items.slice(head + paired, items.length - tail);
  if (extra.length > 0 && tail === 0) change.append.push(...extra);
  else if (extra.length > 0) change.inserts.set(now.length - tail, extra);
  return change;
}

/** Return a value without the wishes on how it is written. */
export function bare(value: unknown): unknown {
  if (value instanceof Flow) return bare(value.value);
  if (Array.isArray(value)) return value.map(bare);
  if (isPlainMap(value)) return Object.fromEntries(Object.entries(value).filter(([, item]) => item !== undefined).map(([key, item]) => [key, bare(item)]));
  return value;
}

export function isNothingWritten(node: Node): boolean {
  return rangeOf(node)[0] === rangeOf(node)[1];
}

function isFlowEmpty(node: Node): boolean {
  return (isMap(node) || isSeq(node)) && node.items.length === 0;
}

function endOfLine(text: string, at: number): number {
  const next = nextLine(text, at);
  if (text[next - 1] !== "\n") return next;
  return text[next - 2] === "\r" ? next - 2 : next - 1;
}
