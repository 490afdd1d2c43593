/** The pure half of the designer: text in, text edits out. Nothing here knows React, the DOM or the network. */
export * from "./types";
export { apply } from "./commands";
export { derive } from "./derive";
export { applyEdits, invert, smallestSplice } from "./edits";
export { compare } from "./compare";
export { consequences } from "./consequences";
export { copy } from "./clipboard";
export { mayConnect } from "./connections";
export type { MayConnect } from "./connections";
export { merge } from "./merge";
export { bodyOf, spanOf, valueOf } from "./reading";
