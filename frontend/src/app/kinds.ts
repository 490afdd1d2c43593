import type { EdgeKind, Kind } from "../document/types";

/** The icon of each kind of node, the same in the outline, the palette and the inspector. */
export const ICONS: Record<Kind, string> = {
  service: "box", volume: "database", network: "network", config: "file-code", secret: "key", machine: "server-2", region: "cloud",
};

export const EDGE_ICONS: Record<EdgeKind, string> = {
  depends_on: "arrow-narrow-right", network: "network", volume: "database", config: "file-code", secret: "key", link: "link",
};
