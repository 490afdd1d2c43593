/** Aliases whose anchor goes: what they stood for is written in their place. */
import { isAlias, isMap, isSeq } from "yaml";

import type { Change } from "./changes";
import { keyOf } from "./source";
import type { Source } from "./source";
import type { Place, Tree } from "./tree";
import type { Path } from "./types";

/** Return the names of the anchors that aliases of a text look for in vain. */
export function missingAnchors({ text, mistakes }: Source): Set<string> {
  const bad = mistakes.filter(({ code }) => code === "BAD_ALIAS");
  return new Set(bad.map(({ from, to }) => text.slice(from + 1, to)));
}

/** Return the changes that put values in the place of all aliases of the named anchors. */
export function writtenOut(tree: Tree, names: ReadonlySet<string>): Change[] {
  return aliases(tree.source.root, names).flatMap((path): Change[] => {
    const merge = path.lastIndexOf("<<");
    if (merge < 0 || merge < path.length - 2) return [{ op: "set", path, value: tree.plain(tree.at(path) as Place) }];
    const owner = path.slice(0, merge);
    const inherited = [...tree.entries(tree.at(owner) as Place).values()].filter((entry) => entry.merged);
    return [
      { op: "delete", path: path.slice(0, merge + 1) },
      ...inherited.map((entry): Change => ({
        op: "set", path: [...owner, entry.key], value: tree.plain(tree.settle(entry.pair.value, entry.written)),
      })),
    ];
  });
}

function aliases(root: unknown, names: ReadonlySet<string>): Path[] {
  const found: Path[] = [];
  const stack: { node: unknown; path: Path }[] = [{ node: root, path: [] }];
  for (let top = stack.pop(); top; top = stack.pop()) {
    const { node, path } = top;
    if (isAlias(node) && names.has(node.source)) found.push(path);
    else if (isMap(node)) for (const pair of node.items) stack.push({ node: pair.value, path: [...path, keyOf(pair)] });
    else if (isSeq(node)) node.items.forEach((item, index) => stack.push({ node: item, path: [...path, index] }));
  }
  return found;
}
