import type { Drawing, DrawingEdge, DrawingNode, Kind, NodeId, Problem } from "../document/types";
import { t } from "../i18n";

export function kindWord(kind: Kind): string {
  return t(`canvas.kind.${kind}`);
}

/** Return what a screen reader says of a node: "Service web, image nginx, 2 problems". */
export function nodeWords(node: DrawingNode, problems: readonly Problem[]): string {
  const said = problems.length > 0 ? t("canvas.with_problems", { count: problems.length }) : "";
  const parts = [t("canvas.node", { kind: kindWord(node.kind), name: titleOf(node) })];
  if (node.kind === "service") {
    if (node.image !== "") parts.push(t("canvas.node_image", { image: node.image }));
    else if (node.build) parts.push(t("canvas.node_build"));
  }
  if (node.kind === "machine" && node.count > 1) parts.push(t("canvas.pool", { count: node.count }));
  if (said !== "") parts.push(said);
  return parts.join(", ");
}

export function titleOf(node: DrawingNode): string {
  return node.kind === "region" && node.title !== "" ? node.title : node.name;
}

export function nameOf(id: NodeId): string {
  return id.slice(id.indexOf(":") + 1);
}

/** Return what an edge says: in full for a screen reader, or only its condition. */
export function edgeWords(edge: DrawingEdge, short = false): string {
  const condition = edge.condition ? t(`canvas.condition.${edge.condition}`) : "";
  if (short) return condition;
  return t(`canvas.edge.${edge.kind}`, {
    source: nameOf(edge.source), target: nameOf(edge.target), label: edge.label, condition,
  });
}

/** "registry.example.org/team/web:1.14" is read by its end; a digest is cut. */
export function shortImage(image: string): string {
  const name = image.slice(image.lastIndexOf("/") + 1);
  const digest = name.indexOf("@sha256:");
  return digest < 0 ? name : name.slice(0, digest + 8 + 8);
}

/** What is written on an edge. */
export function edgeLabel(edge: DrawingEdge): string {
  if (edge.kind !== "depends_on") return edge.label;
  return edge.condition && edge.condition !== "service_started" ? edgeWords(edge, true) : "";
}

const noted = new WeakMap<readonly DrawingEdge[], Map<NodeId, string>>();

/** What the only edge to a node says: it is written on the node, where there is room. */
export function notesOf(drawing: Drawing): Map<NodeId, string> {
  let notes = noted.get(drawing.edges);
  if (notes) return notes;
  notes = new Map();
  for (const edge of drawing.edges)
    if (edge.kind !== "depends_on") notes.set(edge.target, notes.has(edge.target) ? "" : edge.label);
  noted.set(drawing.edges, notes);
  return notes;
}
