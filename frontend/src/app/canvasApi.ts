import type { NodeId, Point } from "../document/types";

/** Where something lands: the group that takes it (null: none), and where in it, or on the canvas. */
export interface Landing {
  parent: NodeId | null;
  at: Point;
}

/** What the canvas does for the parts around it; it fills this in when it is on the page. */
export interface CanvasApi {
  /** The landing under a point of the window; null when that is not on the canvas. */
  dropAt: (clientX: number, clientY: number) => Landing | null;
  /** The middle of what is seen, in the canvas's own units. */
  center: () => Point;
  /** Tell the canvas what hovers over it while it is dragged from the palette; null: nothing any more. */
  hover: (point: { clientX: number; clientY: number } | null) => void;
  fit: (nodes?: NodeId[]) => void;
  zoom: (direction: "in" | "out" | "actual") => void;
  /** Place everything, or what is in these groups, anew. */
  arrange: (nodes?: NodeId[]) => Promise<void> | void;
  align: (edge: "left" | "center" | "right" | "top" | "middle" | "bottom") => void;
  distribute: (axis: "horizontal" | "vertical") => void;
  /** Where a card is drawn in its parent, also when the file does not say. */
  placeOf: (node: NodeId) => { at: Point; size: Point } | null;
}

const nothing = (): void => undefined;

/** One object that both sides hold; `Object.assign(canvasApi, {...})` replaces what the canvas can do better. */
export const canvasApi: CanvasApi = {
  dropAt: () => null,
  center: () => [0, 0],
  hover: nothing,
  fit: nothing,
  zoom: nothing,
  arrange: nothing,
  align: nothing,
  distribute: nothing,
  placeOf: () => null,
};
