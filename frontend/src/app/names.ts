import type { DrawingNode, Kind } from "../document/types";

/** Return `wanted`, or `wanted-2`, … : the first that no node of the kind has. */
export function freeName(nodes: readonly DrawingNode[], kind: Kind, wanted: string): string {
  const taken = new Set(nodes.filter((node) => node.kind === kind).map((node) => node.name));
  for (let number = 1; ; number++) {
    const name = number === 1 ? wanted : `${wanted}-${number}`;
    if (!taken.has(name)) return name;
  }
}
