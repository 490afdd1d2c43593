import type { ComponentType } from "react";

import type { DrawingNode, Kind } from "../document/types";

/** A part of the inspector that another area brings: logs and addresses of a running service, for instance. */
export interface InspectorSection {
  id: string;
  kinds: readonly Kind[];
  /** Above the form or below it. */
  position: "top" | "bottom";
  /** Draws itself with its own heading, or nothing when it has nothing to say. */
  Component: ComponentType<{ node: DrawingNode }>;
}

export const inspectorSections: InspectorSection[] = [];

/** Add a section, or put a newer one in the place of that with its id. */
export function registerInspectorSection(section: InspectorSection): void {
  const known = inspectorSections.findIndex((each) => each.id === section.id);
  if (known >= 0) inspectorSections[known] = section;
  else inspectorSections.push(section);
}
