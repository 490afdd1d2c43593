import { useMemo } from "react";

import type { Kind } from "../document/types";
import { useDocument } from "../store/document";

/** Return the names of all nodes of a kind, in the order of the file. */
export function useNames(kind: Kind): string[] {
  const nodes = useDocument((state) => state.drawing.nodes);
  return useMemo(() => nodes.filter((node) => node.kind === kind).map((node) => node.name), [nodes, kind]);
}
