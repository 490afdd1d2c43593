import { canvasApi } from "../app/canvasApi";
import { perform, selectedGroup } from "../app/gestures";
import { freeName } from "../app/names";
import type { Kind, NodeId, Point } from "../document/types";
import { useDocument } from "../store/document";
import { useView } from "../store/view";
import { fits, type Item } from "./items";

/**
 * Add an item where it was dropped; without a place it goes into the selected group that it fits into, else to the
 * middle of what is seen. What is added is selected. Answers its id, or null when it was refused.
 */
export async function addItem(item: Item, landing?: { parent: NodeId | null; at: Point }): Promise<NodeId | null> {
  const { drawing } = useDocument.getState();
  const parent = fitting(item, landing ? landing.parent : selectedGroup());
  // In a group the layout finds a free place; on the canvas what is added should be seen.
  const at = landing?.at ?? (parent === null ? canvasApi.center() : undefined);
  const name = freeName(drawing.nodes, item.kind, item.name);
  const value = item.value();
  let made: NodeId[] | null;
  if (item.volume) {
    // The service and its volume are one gesture, so one step to undo: they are pasted together.
    const volume = freeName(drawing.nodes, "volume", item.volume.name);
    const service = { ...(value as object), volumes: [`${volume}:${item.volume.at}`] };
    const { stringify } = await import("yaml");
    made = await perform({ do: "paste", yaml: stringify({ services: { [name]: service }, volumes: { [volume]: null } }, { nullStr: "" }), parent, at });
  } else made = await perform({ do: "add", kind: item.kind, name, value, parent, at });
  const main = made?.find((id) => id.startsWith(`${item.kind}:`)) ?? made?.[0];
  if (!main) return null;
  if (landing) useView.getState().select([main]);
  else useView.getState().show(main);
  return main;
}

/** Return the nearest group, outwards, that an item may stand in. */
function fitting(item: Item, wanted: NodeId | null): NodeId | null {
  const { nodes } = useDocument.getState().drawing;
  for (let id = wanted; id; ) {
    const group = nodes.find((node) => node.id === id);
    if (!group) return null;
    if (fits(item, group.kind as Kind)) return group.id;
    id = group.parent;
  }
  return null;
}
