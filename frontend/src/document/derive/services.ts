import { isMap, isScalar, isSeq } from "yaml";

import { shortPort } from "../ports";
import { textOf } from "../source";
import type { Entry, Place } from "../tree";
import type { NodeId, Port, ServiceNode } from "../types";
import { iconOf } from "./icons";
import type { Reader } from "./reader";

/** A service with its body, for those who draw its edges. */
export interface Service {
  id: NodeId;
  name: string;
  entry: Entry;
  place: Place | null;
  body: ReadonlyMap<string, Entry>;
}

type Placed = Pick<ServiceNode, "parent" | "at" | "size" | "comments">;

/** Return the card of a service. Nothing in it may be trusted to have the right type. */
export function serviceNode(reader: Reader, service: Service, placed: Placed): ServiceNode {
  const { body, name } = service;
  const image = reader.text(body.get("image"));
  const deploy = reader.place(body.get("deploy"));
  const limits = body.has("deploy") ? reader.go(deploy, "resources", "limits") : null;
  const own = body.has("x-escale") ? reader.place(body.get("x-escale")) : null;
  const volumes = reader.place(body.get("volumes"));
  return {
    id: service.id,
    kind: "service",
    name,
    path: ["services", name],
    span: reader.span(service.entry),
    ...placed,
    image,
    build: body.has("build") && body.get("build")?.value !== null,
    icon: iconOf(name, image),
    replicas: count(reader.textAt(deploy, "replicas") || reader.text(body.get("scale"))),
    cpus: reader.textAt(limits, "cpus") || reader.text(body.get("cpus")) || reader.textAt(own, "cpus"),
    memory: reader.textAt(limits, "memory") || reader.text(body.get("mem_limit")) || reader.textAt(own, "memory"),
    ports: portsOf(reader, reader.place(body.get("ports"))),
    health: healthOf(reader, reader.place(body.get("healthcheck"))),
    profiles: stringsOf(reader, reader.place(body.get("profiles"))),
    restart: reader.text(body.get("restart")) || reader.textAt(deploy, "restart_policy", "condition"),
    volumes: volumes && isSeq(volumes.node) ? volumes.node.items.length : 0,
    ...placeOf(reader, own),
  };
}

/** Return the cloud that an `x-escale`, or a machine, names: a name, or `{cloud: name}`. */
export function placeOf(reader: Reader, own: Place | null): { place?: string } {
  const place = reader.textAt(own, "place") || reader.textAt(own, "place", "cloud");
  return place === "" ? {} : { place };
}

function count(text: string): number {
  return /^\d{1,6}$/.test(text) ? Number(text) : 1;
}

export function stringsOf(reader: Reader, place: Place | null): string[] {
  return place ? reader.tree.items(place).flatMap(({ node }) => (isScalar(node) ? [textOf(node)] : [])) : [];
}

function portsOf(reader: Reader, place: Place | null): Port[] {
  if (!place) return [];
  return reader.tree.items(place).slice(0, 1_000).flatMap((item) => {
    if (isScalar(item.node)) return shortPort(textOf(item.node)) ?? [];
    if (!isMap(item.node)) return [];
    const target = reader.textAt(item, "target");
    if (target === "") return [];
    return { published: reader.textAt(item, "published"), target, protocol: reader.textAt(item, "protocol").toLowerCase() || "tcp" };
  });
}

function healthOf(reader: Reader, place: Place | null): ServiceNode["health"] {
  if (!place || !isMap(place.node)) return "none";
  const test = reader.go(place, "test");
  const first = test && isSeq(test.node) ? stringsOf(reader, test)[0] : reader.textAt(place, "test");
  return first === "NONE" || /^true$/i.test(reader.textAt(place, "disable")) ? "disabled" : "checked";
}
