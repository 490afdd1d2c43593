import { isMap, isScalar, isSeq } from "yaml";

import { SECTION } from "../names";
import { shortMount, splitColons } from "../ports";
import { textOf } from "../source";
import type { Entry, Place } from "../tree";
import type { DrawingEdge, NodeId, Path, Span } from "../types";
import type { Reader } from "./reader";
import type { Service } from "./services";

/** One reference of a service to something that is named. */
export interface Reference {
  kind: DrawingEdge["kind"];
  name: string;
  label: string;
  condition?: DrawingEdge["condition"];
  path: Path;
  span: Span;
}

const CONDITIONS = new Set(["service_started", "service_healthy", "service_completed_successfully"]);

/** Return all that a service refers to, whether it exists or not, in the order of the file's keys. */
export function references(reader: Reader, service: Service): Reference[] {
  const found: Reference[] = [];
  const { body, name } = service;
  const base: Path = ["services", name];
  const list = (key: string, read: (item: Place, path: Path, span: Span) => void): void => {
    const place = reader.place(body.get(key));
    if (!place || !isSeq(place.node)) return;
    reader.tree.items(place).forEach((item, index) => {
      const span = reader.spanOf(item.node);
      if (span) read(item, [...base, key, index], span);
    });
  };
  const map = (key: string, read: (entry: Entry, path: Path, span: Span) => void): void => {
    const place = reader.place(body.get(key));
    if (!place || !isMap(place.node)) return;
    for (const entry of reader.tree.entries(place).values()) read(entry, [...base, key, entry.key], reader.span(entry));
  };

  list("depends_on", (item, path, span) => {
    const text = scalarOf(item);
    if (text) found.push({ kind: "depends_on", name: text, label: "", path, span });
  });
  map("depends_on", (entry, path, span) => {
    const condition = reader.textAt(reader.place(entry), "condition");
    const known = CONDITIONS.has(condition) ? (condition as NonNullable<DrawingEdge["condition"]>) : undefined;
    found.push({ kind: "depends_on", name: entry.key, label: condition, ...(known ? { condition: known } : {}), path, span });
  });
  list("networks", (item, path, span) => {
    const text = scalarOf(item);
    if (text) found.push({ kind: "network", name: text, label: "", path, span });
  });
  map("networks", (entry, path, span) => {
    const aliases = reader.go(reader.place(entry), "aliases");
    const label = aliases ? reader.tree.items(aliases).map(scalarOf).filter(Boolean).join(", ") : "";
    found.push({ kind: "network", name: entry.key, label, path, span });
  });
  list("volumes", (item, path, span) => {
    if (isScalar(item.node)) {
      const mount = shortMount(textOf(item.node));
      if (mount.name) found.push({ kind: "volume", name: mount.name, label: mount.target, path, span });
    } else if (isMap(item.node)) {
      const type = reader.textAt(item, "type");
      const source = reader.textAt(item, "source");
      if ((type === "volume" || (type === "" && /^[A-Za-z0-9]/.test(source))) && source !== "" && !source.includes("$")) {
        found.push({ kind: "volume", name: source, label: reader.textAt(item, "target"), path, span });
      }
    }
  });
  for (const kind of ["config", "secret"] as const) {
    list(SECTION[kind], (item, path, span) => {
      const source = isMap(item.node) ? reader.textAt(item, "source") : scalarOf(item);
      const label = isMap(item.node) ? reader.textAt(item, "target") : "";
      if (source) found.push({ kind, name: source, label, path, span });
    });
  }
  list("links", (item, path, span) => {
    const [target = "", alias = ""] = splitColons(scalarOf(item));
    if (target) found.push({ kind: "link", name: target, label: alias, path, span });
  });
  return found;
}

function scalarOf(place: Place): string {
  return isScalar(place.node) ? textOf(place.node) : "";
}

export function targetOf(reference: Reference): NodeId {
  const kind = reference.kind === "depends_on" || reference.kind === "link" ? "service" : reference.kind;
  return `${kind}:${reference.name}`;
}
