import type { Drawing, NodeId } from "../document/types";

/** Return the node whose lines hold a place of the text, the innermost; null while the drawing is of another text. */
export function nodeAt({ drawing, drawnText, text }: { drawing: Drawing; drawnText: string; text: string }, offset: number): NodeId | null {
  if (drawnText !== text) return null;
  let found: Drawing["nodes"][number] | null = null;
  for (const node of drawing.nodes) {
    const { from, to } = node.span;
    if (offset < from || offset > to) continue;
    if (!found || to - from < found.span.to - found.span.from) found = node;
  }
  return found?.id ?? null;
}
