import { derive } from "./derive";
import { parse } from "./source";
import { sameValue, TooMuch, Tree } from "./tree";
import type { ChangedNode, Drawing, DrawingDiff, NodeId, Path } from "./types";

/** Return how the drawing of one text differs from that of another; a broken text counts as an empty one. */
export function compare(before: string, after: string): DrawingDiff {
  const old = drawn(before);
  const now = drawn(after);
  const nodes: ChangedNode[] = [];
  const oldNodes = new Map(old.nodes.map((node) => [node.id, node]));
  const nowIds = new Set<NodeId>(now.nodes.map((node) => node.id));
  const oldTree = new Tree(parse(before));
  const nowTree = new Tree(parse(after));
  for (const node of now.nodes) {
    if (!oldNodes.has(node.id)) nodes.push({ id: node.id, change: "added", paths: [] });
    else {
      const paths = differences(valueAt(oldTree, node.path), valueAt(nowTree, node.path), node.path);
      if (paths.length > 0) nodes.push({ id: node.id, change: "changed", paths });
    }
  }
  for (const node of old.nodes) if (!nowIds.has(node.id)) nodes.push({ id: node.id, change: "removed", paths: [] });
  const oldEdges = new Set(old.edges.map((edge) => edge.id));
  const nowEdges = new Set(now.edges.map((edge) => edge.id));
  return {
    nodes,
    edges: [
      ...[...nowEdges].filter((id) => !oldEdges.has(id)).map((id) => ({ id, change: "added" as const })),
      ...[...oldEdges].filter((id) => !nowEdges.has(id)).map((id) => ({ id, change: "removed" as const })),
    ],
  };
}

function drawn(text: string): Pick<Drawing, "nodes" | "edges"> {
  const derived = derive(text);
  return derived.ok ? derived.drawing : { nodes: [], edges: [] };
}

function valueAt(tree: Tree, path: Path): unknown {
  try {
    const place = tree.at(path);
    return place ? tree.plain(place) : null;
  } catch (error) {
    if (error instanceof TooMuch) return null;
    throw error;
  }
}

const MOST = 200;

/** Return the paths at which two values differ, as deep as both are maps. */
function differences(before: unknown, after: unknown, path: Path, found: Path[] = []): Path[] {
  if (found.length >= MOST || sameValue(before, after)) return found;
  const isMap = (value: unknown): value is Record<string, unknown> => typeof value === "object" && value !== null && !Array.isArray(value);
  if (!isMap(before) || !isMap(after) || path.length > 6) {
    found.push(path);
    return found;
  }
  for (const key of new Set([...Object.keys(before), ...Object.keys(after)])) {
    const [left, right] = [before, after].map((side) => (Object.hasOwn(side, key) ? side[key] : undefined));
    if (left === undefined || right === undefined) found.push([...path, key]);
    else differences(left, right, [...path, key], found);
    if (found.length >= MOST) break;
  }
  return found;
}
