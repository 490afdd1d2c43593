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
  const regions = regionsOf(linesOf(base, eol), linesOf(mine, eol), linesOf(theirs, eol));
  const resolve = (choices: readonly Choice[]): string => {
    let number = 0;
    const lines = regions.flatMap((region) => {
      if (Array.isArray(region)) return region;
      const choice = choices[number++] ?? "mine";
      return choice === "both" ? [...region.mine, ...region.theirs] : region[choice];
    });
    // A last line without an end may stand in the middle now.
    return lines.map((line, index) => (index < lines.length - 1 && !line.endsWith("\n") ? line + eol : line)).join("");
  };
  const conflicts: Merge["conflicts"] = [];
  let line = 1;
  for (const region of regions) {
    if (Array.isArray(region)) line += region.length;
    else {
      conflicts.push({ base: region.base.join(""), mine: region.mine.join(""), theirs: region.theirs.join(""), line });
      line += region.mine.length;
    }
  }
  return { text: resolve([]), conflicts, resolve };
}

function endOf(text: string): string {
  return (text.match(/\r\n/g)?.length ?? 0) * 2 > (text.match(/\n/g)?.length ?? 0) ? "\r\n" : "\n";
}

function linesOf(text: string, eol: string): string[] {
  return (text.match(/[^\n]*\n|[^\n]+$/g) ?? []).map((line) => line.replace(/\r?\n$/, eol));
}

function regionsOf(base: string[], mine: string[], theirs: string[]): Region[] {
  if (same(mine, theirs) || same(theirs, base)) return [mine];
  if (same(mine, base)) return [theirs];
  // What all three share at both ends needs no search.
  const shortest = Math.min(base.length, mine.length, theirs.length);
  let head = 0;
  while (head < shortest && base[head] === mine[head] && base[head] === theirs[head]) head++;
  let tail = 0;
  while (tail < shortest - head && [mine, theirs].every((lines) => lines.at(-1 - tail) === base.at(-1 - tail))) tail++;
  const [o, a, b] = [base, mine, theirs].map((lines) => lines.slice(head, lines.length - tail)) as [string[], string[], string[]];
  const name = [o, a, b].some((lines) => repeats(lines) > 300_000) ? inContext : (lines: string[]) => lines.map(bare);
  const regions: Region[] = [mine.slice(0, head)];
  for (const region of diff3MergeRegions(name(a), name(o), name(b))) {
    if (region.stable) {
      const from = region.buffer === "a" ? a : region.buffer === "b" ? b : o;
      regions.push(from.slice(region.bufferStart, region.bufferStart + region.bufferLength));
      continue;
    }
    const part = {
      base: o.slice(region.oStart, region.oStart + region.oLength),
      mine: a.slice(region.aStart, region.aStart + region.aLength),
      theirs: b.slice(region.bStart, region.bStart + region.bLength),
    };
    // Both did the same.
    regions.push(same(part.mine, part.theirs) ? part.mine : part);
  }
  regions.push(tail > 0 ? mine.slice(mine.length - tail) : []);
  return regions;
}

const bare = (line: string): string => line.replace(/\r?\n$/, "");

function same(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((line, index) => line === b[index]);
}

/** Return how many pairs of equal lines the search would look at. */
function repeats(lines: readonly string[]): number {
  const counts = new Map<string, number>();
  for (const line of lines) counts.set(line, (counts.get(line) ?? 0) + 1);
  let pairs = 0;
  for (const count of counts.values()) pairs += count * count;
  return pairs;
}

/** Return each line with those that it stands under, so that `restart: always` of two services are two lines. */
function inContext(lines: readonly string[]): string[] {
  const above: { column: number; text: string }[] = [];
  return lines.map((line) => {
    const text = bare(line);
    const column = text.length - text.trimStart().length;
    if (text.trim() !== "") {
      while (above.length > 0 && (above.at(-1) as { column: number }).column >= column) above.pop();
    }
    const context = above.map((parent) => parent.text).join("\u0000");
    if (text.trim() !== "" && above.length < 50) above.push({ column, text });
    return `${text}\u0000${context}`;
  });
}
