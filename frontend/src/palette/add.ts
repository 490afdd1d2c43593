import { canvasApi } from "../app/canvasApi";
import { perform, selectedGroup } from "../app/gestures";
import { freeName } from "../app/names";
import type { DrawingNode, NodeId, Point } from "../document/types";
import { t } from "../i18n";
import { useDocument } from "../store/document";
import { useView } from "../store/view";
import { fits, type Item } from "./items";

/**
 * Add an item where it was dropped; without a place it goes into the selected group that it fits into, else to the
 * middle of what is seen. What is added is selected. Answers its id, or null when it was refused.
 */
export async function addItem(item: Item, landing?: { parent: NodeId | null; at: Point }): Promise<NodeId | null> {
  const { drawing } = useDocument.getState();
  const { parent, at: dropped } = fitting(item, landing ? landing.parent : selectedGroup() ?? firstRegion(drawing.nodes), landing?.at);
  // In a group the layout finds a free place; on the canvas what is added should be seen.
  const at = dropped ?? (parent === null ? freePlace(canvasApi.center(), drawing.nodes) : undefined);
  const name = freeName(drawing.nodes, item.kind, item.name);
  const value = item.value();
  let made: NodeId[] | null;
  if (item.volume) {
    // The service and its volume are one gesture, so one step to undo: they are pasted together.
    const volume = freeName(drawing.nodes, "volume", item.volume.name);
    const service = { ...(value as object), volumes: [`${volume}:${item.volume.at}`] };
    const { stringify } = await import("yaml");
    const yaml = stringify({ services: { [name]: service }, volumes: { [volume]: null } }, { nullStr: "" });
    made = await perform({ do: "paste", yaml, parent, at, label: { key: "command.add", params: { name: t(`palette.${item.id}`) } } });
  } else made = await perform({ do: "add", kind: item.kind, name, value, parent, at });
  const main = made?.find((id) => id.startsWith(`${item.kind}:`)) ?? made?.[0];
  if (!main) return null;
  if (landing) useView.getState().select([main]);
  else useView.getState().show(main);
  return main;
}

/** What names no region belongs to the first one, so that is where the layout has to find a place for it. */
function firstRegion(nodes: readonly DrawingNode[]): NodeId | null {
  return nodes.find((node) => node.kind === "region")?.id ?? null;
}

const STEP: Point = [300, 180];
const RINGS = 8;

/** Return the place nearest to a point, in widening rings of cards, that no card outside of all groups lies on. */
export function freePlace([x, y]: Point, nodes: readonly DrawingNode[]): Point {
  const taken = nodes.filter((node) => node.parent === null).flatMap((node) => {
    const place = canvasApi.placeOf(node.id) ?? (node.at && { at: node.at, size: node.size ?? ([240, 130] as const) });
    return place ? [place] : [];
  });
  const free = ([left, top]: Point): boolean =>
    taken.every(({ at, size }) => left + 240 <= at[0] || left >= at[0] + size[0] || top + 130 <= at[1] || top >= at[1] + size[1]);
  for (let ring = 0; ring < RINGS; ring++) {
    const around: Point[] = [];
    for (let column = -ring; column <= ring; column++)
      for (let row = -ring; row <= ring; row++) if (Math.max(Math.abs(column), Math.abs(row)) === ring) around.push([column, row]);
    // To the right and below first, as one reads.
    around.sort((a, b) => Math.abs(a[0]) + Math.abs(a[1]) - Math.abs(b[0]) - Math.abs(b[1]) || b[0] - a[0] || b[1] - a[1]);
    for (const [column, row] of around) {
      const place: Point = [Math.round(x + column * STEP[0]), Math.round(y + row * STEP[1])];
      if (free(place)) return place;
    }
  }
  return [Math.round(x), Math.round(y)];
}

/** Return the nearest group, outwards, that an item may stand in, and the place as that group counts it. */
function fitting(item: Item, wanted: NodeId | null, landed?: Point): { parent: NodeId | null; at: Point | undefined } {
  const { nodes } = useDocument.getState().drawing;
  let at = landed;
  for (let id = wanted; id; ) {
    const group = nodes.find((node) => node.id === id);
    if (!group) break;
    if (fits(item, group.kind)) return { parent: group.id, at };
    const origin = canvasApi.placeOf(group.id)?.at ?? group.at ?? [0, 0];
    at = at && [at[0] + origin[0], at[1] + origin[1]];
    id = group.parent;
  }
  return { parent: null, at };
}
