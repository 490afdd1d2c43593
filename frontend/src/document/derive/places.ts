import type { DrawingNode } from "../types";

/**
 * Return the clouds that a drawing without regions names, the main one first; none where that one has to be asked for.
 * `top`: the place of the whole drawing. As the portal does: without `top`, each machine and each service must name one.
 */
export function cloudsOf(top: string, nodes: readonly DrawingNode[]): string[] {
  if (nodes.some(({ kind }) => kind === "region")) return [];
  const machines = new Map(nodes.flatMap((node) => (node.kind === "machine" ? [[node.id as string, node.place ?? ""] as const] : [])));
  const own = nodes.flatMap((node) => (node.kind === "service" ? [machines.get(node.parent ?? "") || (node.place ?? "")] : []));
  const said = [...machines.values(), ...own];
  if (top === "" && !said.every((cloud) => cloud !== "")) return [];
  return [...new Set([top, ...said].filter((cloud) => cloud !== ""))];
}
