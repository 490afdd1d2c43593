import { CANVAS_KEYS } from "./fragment";
import { references } from "./derive/edges";
import { Reader } from "./derive/reader";
import { HOME, idOf, SECTION, splitId } from "./names";
import { blockText, Flow } from "./quoting";
import { isNothing, parse } from "./source";
import { TooMuch } from "./tree";
import type { Tree } from "./tree";
import type { Kind, NodeId } from "./types";

/**
 * Return nodes as a Compose file of their own, with the volumes, networks, configs, secrets and machines that they need
 * and the places where they lie. References to services that do not come along are left out. "" when there is nothing.
 */
export function copy(text: string, nodes: readonly NodeId[]): string {
  const source = parse(text);
  if (source.mistakes.length > 0 || isNothing(source.root)) return "";
  try {
    const fragment = pick(new Reader(source), nodes);
    const style = { ...source.style, eol: "\n" };
    return Object.keys(fragment).length === 0 ? "" : `${blockText(fragment, -style.step, style).replace(/^\n/, "")}\n`;
  } catch (error) {
    if (error instanceof TooMuch) return "";
    throw error;
  }
}

type Plain = Record<string, unknown>;

/** Return the fragment as plain data. */
export function pick(reader: Reader, nodes: readonly NodeId[]): Plain {
  const { tree } = reader;
  const wanted = new Set<NodeId>(nodes);
  const bodies = reader.entries(reader.go(tree.root, "services"));
  // What stands in a machine or region that is copied comes along.
  const machines = plainAt(tree, "x-escale", "machines");
  for (const [name, machine] of Object.entries(machines)) {
    if (wanted.has(idOf("region", String((machine as Plain | null)?.region)))) wanted.add(idOf("machine", name));
  }
  for (const entry of bodies.values()) {
    const own = reader.go(reader.place(entry), "x-escale");
    if (wanted.has(idOf("machine", reader.textAt(own, "machine"))) || wanted.has(idOf("region", reader.textAt(own, "region")))) wanted.add(idOf("service", entry.key));
  }
  const found = new Map<Kind, Plain>();
  const put = (kind: Kind, name: string, value: unknown): void => {
    const section = found.get(kind) ?? {};
    section[name] = value;
    found.set(kind, section);
  };
  for (const id of [...wanted]) {
    const { kind, name } = splitId(id);
    const entry = kind === "service" ? bodies.get(name) : undefined;
    if (!entry) continue;
    const place = reader.place(entry);
    const body = tree.plain(place ?? { node: null, written: [] });
    const service = { id, name, entry, place, body: reader.entries(place) };
    for (const reference of references(reader, service)) {
      if (reference.kind !== "depends_on" && reference.kind !== "link") wanted.add(idOf(reference.kind, reference.name));
    }
    put("service", name, isMap(body) ? alone(body, wanted) : body);
  }
  for (const id of wanted) {
    const { kind, name } = splitId(id);
    if (kind === "service") continue;
    const home = reader.entries(reader.go(tree.root, ...(HOME[kind] as string[])));
    const entry = home.get(name);
    if (entry) put(kind, name, tree.plain(reader.place(entry) ?? { node: null, written: [] }));
  }
  return assemble(reader, found, wanted);
}

function isMap(value: unknown): value is Plain {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function plainAt(tree: Tree, ...path: string[]): Plain {
  const place = tree.at(path);
  const value = place ? tree.plain(place) : null;
  return isMap(value) ? value : {};
}

/** Return a service without what it says about services and groups that do not come along. */
function alone(body: Plain, wanted: ReadonlySet<NodeId>): Plain {
  const has = (name: unknown): boolean => wanted.has(idOf("service", String(name).split(":")[0] ?? ""));
  const result: Plain = { ...body };
  const keep = (key: string, value: unknown): void => {
    const empty = Array.isArray(value) ? value.length === 0 : isMap(value) && Object.keys(value).length === 0;
    if (empty) delete result[key];
    else result[key] = value;
  };
  if (Array.isArray(body.depends_on)) keep("depends_on", body.depends_on.filter(has));
  else if (isMap(body.depends_on)) keep("depends_on", Object.fromEntries(Object.entries(body.depends_on).filter(([name]) => has(name))));
  if (Array.isArray(body.links)) keep("links", body.links.filter(has));
  if (Array.isArray(body.volumes_from)) keep("volumes_from", body.volumes_from.filter((name) => has(name) || String(name).startsWith("container:")));
  for (const key of ["network_mode", "ipc", "pid"]) {
    const text = String(body[key] ?? "");
    if (text.startsWith("service:") && !has(text.slice(8))) delete result[key];
  }
  if (typeof body.extends === "string" && !has(body.extends)) delete result.extends;
  else if (isMap(body.extends) && body.extends.file === undefined && !has(body.extends.service)) delete result.extends;
  const own = body["x-escale"];
  if (isMap(own)) {
    const kept: Plain = { ...own };
    if (!wanted.has(idOf("machine", String(own.machine)))) delete kept.machine;
    if (!wanted.has(idOf("region", String(own.region)))) delete kept.region;
    for (const key of ["uses", "affinity", "anti_affinity"]) if (!onlyNames(own[key], has)) delete kept[key];
    keep("x-escale", Object.keys(kept).length === 0 ? {} : new Flow(kept));
    if (Object.keys(kept).length === 0) delete result["x-escale"];
  }
  return result;
}

/** True when all services that a relation names come along. */
function onlyNames(value: unknown, has: (name: unknown) => boolean): boolean {
  if (Array.isArray(value)) return value.every((item) => onlyNames(isMap(item) ? item.services : item, has));
  return isMap(value) ? onlyNames(value.services, has) : value === undefined || has(value);
}

function assemble(reader: Reader, found: Map<Kind, Plain>, wanted: ReadonlySet<NodeId>): Plain {
  const result: Plain = {};
  for (const kind of ["service", "volume", "network", "config", "secret"] as const) {
    const section = found.get(kind);
    if (section) result[SECTION[kind]] = section;
  }
  const extension: Plain = {};
  for (const kind of ["region", "machine"] as const) {
    const section = found.get(kind);
    if (!section) continue;
    for (const [name, value] of Object.entries(section)) {
      // A region that does not come along cannot be named.
      if (kind === "machine" && isMap(value) && !wanted.has(idOf("region", String(value.region)))) section[name] = without(value, "region");
    }
    extension[SECTION[kind]] = section;
  }
  const canvas: Plain = {};
  for (const kind of CANVAS_KEYS) {
    const boxes = plainAt(reader.tree, "x-escale", "canvas", SECTION[kind]);
    const kept = Object.entries(boxes).filter(([name]) => found.get(kind) && Object.hasOwn(found.get(kind) as Plain, name));
    if (kept.length > 0) canvas[SECTION[kind]] = Object.fromEntries(kept.map(([name, box]) => [name, new Flow(box)]));
  }
  if (Object.keys(canvas).length > 0) extension.canvas = canvas;
  if (Object.keys(extension).length > 0) result["x-escale"] = extension;
  return result;
}

function without(map: Plain, key: string): Plain | null {
  const rest = { ...map };
  delete rest[key];
  return Object.keys(rest).length > 0 ? rest : null;
}
