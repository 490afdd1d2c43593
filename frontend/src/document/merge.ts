import { diff3MergeRegions } from "node-diff3";

import type { Merge } from "./types";

type Choice = "mine" | "theirs" | "both";
type Region = string[] | { base: string[]; mine: string[]; theirs: string[] };

/**
 * Merge two texts that come from one base, line by line. Line ends do not count as changes: the result has those of
 * `mine`.
 */
export function merge(base: string, mine: string, theirs: string): Merge {
  const eol = endOf(mine);
  const regions = regionsOf(linesOf(base), linesOf(mine), linesOf(theirs));
  // Whether the last line ends is a change like any other.
  const [before, left, right] = [base, mine, theirs].map((text) => text.endsWith("\n"));
  const ends = left === before ? right : left;
  const written = (lines: readonly string[]): string => lines.map((line) => line + eol).join("");
  const resolve = (choices: readonly Choice[]): string => {
    let number = 0;
    const text = regions.map((region) => {
      if (Array.isArray(region)) return written(region);
      const choice = choices[number++] ?? "mine";
      return written(choice === "both" ? [...region.mine, ...region.theirs] : region[choice]);
    }).join("");
    return ends ? text : text.slice(0, -eol.length);
  };
  const conflicts: Merge["conflicts"] = [];
  let line = 1;
  for (const region of regions) {
    if (Array.isArray(region)) line += region.length;
    else {
      conflicts.push({ base: written(region.base), mine: written(region.mine), theirs: written(region.theirs), line });
      line += region.mine.length;
    }
  }
  return { text: resolve([]), conflicts, resolve };
}

function endOf(text: string): string {
  return (text.match(/\r\n/g)?.length ?? 0) * 2 > (text.match(/\n/g)?.length ?? 0) ? "\r\n" : "\n";
}

/** Return the lines without their ends. */
function linesOf(text: string): string[] {
  const lines = text.split(/\r?\n/);
  if (lines.at(-1) === "") lines.pop();
  return lines;
}

function regionsOf(base: string[], mine: string[], theirs: string[]): Region[] {
  if (same(mine, theirs) || same(theirs, base)) return [mine];
  if (same(mine, base)) return [theirs];
  const regions: Region[] = [];
  const from: Cut = [0, 0, 0];
  // The library's search takes the square of the number of lines: between lines that all share it has little to do.
  const cuts: Cut[] = base.length > 500 ? sharedLines(base, mine, theirs) : [];
  for (const to of [...cuts, [base.length, mine.length, theirs.length] as Cut]) {
    const [o, a, b] = [base, mine, theirs].map((lines, side) => lines.slice(from[side as 0], to[side as 0])) as [string[], string[], string[]];
    if (same(o, b)) regions.push(a);
    else if (same(o, a) || same(a, b)) regions.push(b);
    else regions.push(...searched(o, a, b));
    for (const side of [0, 1, 2] as const) from[side] = to[side];
  }
  return regions;
}

function searched(o: string[], a: string[], b: string[]): Region[] {
  return diff3MergeRegions(a, o, b).map((region) => {
    if (region.stable) {
      const lines = region.buffer === "a" ? a : region.buffer === "b" ? b : o;
      return lines.slice(region.bufferStart, region.bufferStart + region.bufferLength);
    }
    const part = {
      base: o.slice(region.oStart, region.oStart + region.oLength),
      mine: a.slice(region.aStart, region.aStart + region.aLength),
      theirs: b.slice(region.bStart, region.bStart + region.bLength),
    };
    // Both did the same.
    return same(part.mine, part.theirs) ? part.mine : part;
  });
}

function same(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((line, index) => line === b[index]);
}

/** A line's number in base, mine and theirs. */
type Cut = [base: number, mine: number, theirs: number];

/** Return lines that stand once in each text, in the same order in all. */
function sharedLines(base: string[], mine: string[], theirs: string[]): Cut[] {
  const [inBase, inMine, inTheirs] = [base, mine, theirs].map(unique) as [Map<string, number>, Map<string, number>, Map<string, number>];
  const cuts: Cut[] = [];
  for (const [line, at] of inBase) {
    const [left, right] = [inMine.get(line), inTheirs.get(line)];
    if (left !== undefined && right !== undefined) cuts.push([at, left, right]);
  }
  return rising(rising(cuts, 1), 2);
}

function unique(lines: readonly string[]): Map<string, number> {
  const found = new Map<string, number>();
  const twice = new Set<string>();
  lines.forEach((line, index) => {
    if (found.has(line)) twice.add(line);
    else found.set(line, index);
  });
  for (const line of twice) found.delete(line);
  return found;
}

/** Return the longest part of the cuts that rises on one side. */
function rising(cuts: readonly Cut[], side: 1 | 2): Cut[] {
  const tails: number[] = [];
  const before: number[] = [];
  cuts.forEach((cut, index) => {
    let low = 0;
    let high = tails.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((cuts[tails[middle] as number] as Cut)[side] < cut[side]) low = middle + 1;
      else high = middle;
    }
    before[index] = low > 0 ? (tails[low - 1] as number) : -1;
    tails[low] = index;
  });
  const found: Cut[] = [];
  for (let at = tails.at(-1) ?? -1; at >= 0; at = before[at] as number) found.push(cuts[at] as Cut);
  return found.reverse();
}
