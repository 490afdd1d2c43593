import { mayConnect } from "../document/connections";
import type { Applied, Drawing, DrawingNode, NodeId } from "../document/types";
import { isGroup } from "../layout/geometry";
import { useDocument } from "../store/document";
import { useView } from "../store/view";
import { run } from "./actions";

/** Join two nodes; what speaks against it is said. */
export async function connect(source: NodeId, target: NodeId): Promise<Applied | null> {
  const { drawing, readOnly } = useDocument.getState();
  if (readOnly || source === target) return null;
  const verdict = mayConnect(drawing, source, target);
  if (!verdict.ok) {
    useView.getState().say(verdict.refused, "refused");
    return null;
  }
  return run({ do: "connect", kind: verdict.kind, source, target });
}

/**
 * Return all that a service may be connected to. This is `mayConnect` for all nodes at once: what leads back to the
 * source is found in one walk, where asking a thousand times would be felt.
 */
export function targetsOf(drawing: Drawing, source: NodeId): DrawingNode[] {
  const users = new Map<NodeId, NodeId[]>();
  const joined = new Set<NodeId>();
  for (const edge of drawing.edges) {
    if (edge.kind === "depends_on") users.set(edge.target, [...(users.get(edge.target) ?? []), edge.source]);
    if (edge.source === source && edge.kind !== "volume" && edge.path.length > 2) joined.add(edge.target);
  }
  const back = new Set<NodeId>([source]);
  for (const id of back) for (const user of users.get(id) ?? []) back.add(user);
  return drawing.nodes.filter((node) => !isGroup(node) && !back.has(node.id) && !joined.has(node.id));
}
