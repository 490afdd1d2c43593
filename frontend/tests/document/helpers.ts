import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

import { expect } from "vitest";
import { parseAllDocuments } from "yaml";

import { apply, applyEdits, derive, invert } from "../../src/document";
import type { Command, Drawing, Message, NodeId, TextEdit } from "../../src/document";

const CORPUS = fileURLToPath(new URL("../../../tests/corpus/awesome-compose", import.meta.url));

/** The shared files, by name. */
export const corpus: [name: string, text: string][] = readdirSync(CORPUS, { withFileTypes: true })
  .filter((entry) => entry.isDirectory())
  .map((entry) => {
    const file = readdirSync(`${CORPUS}/${entry.name}`).find((name) => /^compose\.ya?ml$/.test(name));
    return [entry.name, readFileSync(`${CORPUS}/${entry.name}/${file}`, "utf8")];
  });

export function drawing(text: string): Drawing {
  const derived = derive(text);
  if (!derived.ok) throw new Error(`not drawn: ${JSON.stringify(derived.problems.slice(0, 3))}\n${text.slice(0, 2_000)}`);
  return derived.drawing;
}

/** Carry out a command and prove what holds for every command: it parses, it can be undone and redone. */
export function run(text: string, command: Command): string {
  const applied = apply(text, command);
  if (!applied.ok) throw new Error(`refused ${applied.refused.key} for ${JSON.stringify(command)}`);
  return prove(text, applied.edits);
}

export function prove(text: string, edits: TextEdit[]): string {
  edits.forEach((edit, index) => {
    expect(edit.to).toBeGreaterThanOrEqual(edit.from);
    if (index > 0) expect(edit.from).toBeGreaterThanOrEqual((edits[index - 1] as TextEdit).to);
  });
  const after = applyEdits(text, edits);
  const back = invert(text, edits);
  expect(applyEdits(after, back)).toBe(text);
  expect(applyEdits(text, invert(after, back))).toBe(after);
  const [document] = parseAllDocuments(after) as ReturnType<typeof parseAllDocuments> & { errors?: unknown }[];
  if (document && document.errors?.length) throw new Error(`broken: ${String(document.errors[0])}\n${after}`);
  return after;
}

export function refusal(text: string, command: Command): Message {
  const applied = apply(text, command);
  if (applied.ok) throw new Error(`not refused: ${JSON.stringify(command)}\n${applyEdits(text, applied.edits)}`);
  return applied.refused;
}

/** Return the lines of a text that are not lines of another one, in order (a line may be there several times). */
export function linesMissingIn(text: string, other: string): string[] {
  const left = new Map<string, number>();
  for (const line of other.split(/\r?\n/)) left.set(line, (left.get(line) ?? 0) + 1);
  return text.split(/\r?\n/).filter((line) => {
    const count = left.get(line) ?? 0;
    left.set(line, count - 1);
    return count <= 0;
  });
}

/** The drawing without what depends on offsets and places, for comparisons. */
export function graph(text: string): { nodes: string[]; edges: string[] } {
  const { nodes, edges } = drawing(text);
  return { nodes: nodes.map((node) => node.id).sort(), edges: edges.map((edge) => edge.id).sort() };
}

export function ids(text: string, kind: string): NodeId[] {
  return drawing(text).nodes.filter((node) => node.kind === kind).map((node) => node.id);
}

/** A small random number generator, so that a failure can be repeated. */
export function random(seed: number): { next: () => number; pick: <T>(items: readonly T[]) => T; int: (below: number) => number } {
  let state = seed >>> 0;
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  };
  const int = (below: number): number => Math.floor(next() * below);
  return { next, int, pick: (items) => items[int(items.length)] as never };
}
