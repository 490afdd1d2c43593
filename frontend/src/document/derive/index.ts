/** From the text to the drawing. Whatever the text holds, this answers: it never throws and never takes for ever. */
import { isMap } from "yaml";
import type { YAMLMap } from "yaml";

import { HOME, idOf, SECTION } from "../names";
import { isNothing, keyOf, lineStart, parse, rangeOf, textOf, walk } from "../source";
import type { Mistake, Node, Source } from "../source";
import { TooMuch } from "../tree";
import type { Entry, Place } from "../tree";
import type { Comment, Derived, Drawing, Kind, MachineNode, NodeId, Problem, ServiceNode } from "../types";
import { circles } from "./cycles";
import { references, targetOf } from "./edges";
import type { Reference } from "./edges";
import { Reader } from "./reader";
import { cloudsOf } from "./places";
import { placeOf, serviceNode } from "./services";
import type { Service } from "./services";

export function derive(text: string): Derived {
  const source = parse(text);
  if (source.mistakes.length > 0) return { ok: false, problems: source.mistakes.map((mistake) => syntaxProblem(source, mistake)) };
  const { root } = source;
  if (root !== null && !isNothing(root) && !isMap(root)) {
    return { ok: false, problems: [syntaxProblem(source, { code: "NOT_A_MAP", from: rangeOf(root)[0], to: rangeOf(root)[1] })] };
  }
  try {
    return { ok: true, drawing: new Deriver(new Reader(source)).draw() };
  } catch (error) {
    if (!(error instanceof TooMuch) && !(error instanceof RangeError)) throw error;
    return { ok: false, problems: [syntaxProblem(source, { code: "TOO_MUCH", from: 0, to: 0 })] };
  }
}

const SYNTAX = new Set([
  "BAD_ALIAS", "BAD_INDENT", "BAD_SCALAR_START", "BAD_DQ_ESCAPE", "BINARY", "BLOCK_AS_IMPLICIT_KEY", "BLOCK_IN_FLOW",
  "MISSING_CHAR", "MULTILINE_IMPLICIT_KEY", "NOT_A_MAP", "TAB_AS_INDENT", "TOO_DEEP", "TOO_MUCH", "UNEXPECTED_TOKEN",
]);

export function syntaxProblem({ text }: Source, { code, from, to }: Mistake): Problem {
  const start = lineStart(text, from);
  let line = 1;
  for (let at = text.indexOf("\n"); at >= 0 && at < start; at = text.indexOf("\n", at + 1)) line++;
  return {
    severity: "error",
    code: `document.syntax.${code.toLowerCase()}`,
    text: { key: `document.syntax.${SYNTAX.has(code) ? code.toLowerCase() : "other"}`, params: { line, column: from - start + 1 } },
    path: [],
    span: { from, to: Math.min(text.length, Math.max(to, from + 1)) },
    source: "syntax",
  };
}

class Deriver {
  private readonly root: Place;
  private readonly extension: Place | null;
  private readonly canvas: Place | null;
  private readonly collapsed: Set<string>;
  private readonly comments = new Map<string, Comment[]>();
  private readonly declared = new Set<NodeId>();
  private readonly boxes = new Map<Kind, ReadonlyMap<string, Entry>>();

  constructor(private readonly reader: Reader) {
    this.root = reader.tree.root;
    this.extension = reader.go(this.root, "x-escale");
    this.canvas = reader.go(this.extension, "canvas");
    const collapsed = reader.go(this.canvas, "collapsed");
    this.collapsed = new Set(collapsed ? reader.tree.items(collapsed).map(({ node }) => textOf(node)) : []);
    for (const kind of Object.keys(SECTION) as Kind[]) this.boxes.set(kind, reader.entries(this.canvas, SECTION[kind]));
    this.readComments();
  }

  draw(): Drawing {
    const { reader } = this;
    const { text } = reader.source;
    if (reader.source.many) {
      const at = reader.source.end;
      reader.problem("info", "document.many_documents", { key: "document.many_documents" }, [], { span: { from: at, to: Math.min(text.length, at + 3) } });
    }
    this.duplicates();
    const regions = reader.entries(this.extension, "regions");
    const machines = reader.entries(this.extension, "machines");
    const services = this.services();
    const drawn = services.map((service) => ({ service, at: this.whereIs(service, machines, regions) }));
    const hosts = new Set(drawn.map(({ at }) => at.machine));
    this.regions(regions);
    this.machines(machines, regions, hosts);
    const published: Drawing["published"] = [];
    for (const { service, at } of drawn) {
      const node = serviceNode(reader, service, { parent: at.parent, ...this.basics("service", service.name) });
      reader.nodes.push(node);
      for (const port of node.ports) published.push({ service: node.id, port });
      this.isRunnable(service, node);
    }
    this.resources();
    this.connect(services);
    const clouds = cloudsOf(placeOf(reader, this.extension).place ?? "", reader.nodes);
    return {
      name: reader.textAt(this.root, "name"),
      nodes: reader.nodes,
      edges: reader.edges,
      published,
      problems: reader.problems,
      lines: text === "" ? 1 : text.split("\n").length,
      ...(clouds.length > 0 ? { clouds } : {}),
    };
  }

  private basics(kind: Kind, name: string): Pick<ServiceNode, "at" | "size" | "comments"> {
    return {
      ...this.reader.geometry(this.boxes.get(kind) ?? new Map<string, Entry>(), name),
      comments: this.comments.get(idOf(kind, name)) ?? [],
    };
  }

  private readComments(): void {
    const list = this.reader.go(this.canvas, "comments");
    if (!list) return;
    this.reader.tree.items(list).slice(0, 2_000).forEach((item, index) => {
      if (!isMap(item.node)) return;
      const on = this.reader.textAt(item, "on");
      const comment: Comment = {
        index,
        on: on as NodeId,
        text: this.reader.textAt(item, "text"),
        by: this.reader.textAt(item, "by"),
        at: this.reader.textAt(item, "at"),
        resolved: /^true$/i.test(this.reader.textAt(item, "resolved")),
      };
      this.comments.set(on, [...(this.comments.get(on) ?? []), comment]);
    });
  }

  private duplicates(): void {
    const { source } = this.reader;
    walk(source.root, (node) => {
      if (!isMap(node) || node.items.length < 2) return;
      const seen = new Set<string>();
      for (const pair of (node as YAMLMap).items) {
        const key = keyOf(pair);
        if (key === "<<" || !seen.has(key)) seen.add(key);
        else if (pair.key) {
          const [from, to] = rangeOf(pair.key as Node);
          this.reader.problem("error", "document.duplicate_key", { key: "document.duplicate_key", params: { name: key } }, [], { span: { from, to } });
        }
      }
    });
  }

  private services(): Service[] {
    const { reader } = this;
    const section = reader.go(this.root, "services");
    if (section && section.node !== null && !isMap(section.node)) {
      reader.problem("error", "document.services_not_a_map", { key: "document.services_not_a_map" }, ["services"], { span: reader.spanOf(section.node) });
    }
    return [...reader.entries(section).values()].map((entry) => {
      const place = reader.place(entry);
      const service = { id: idOf("service", entry.key), name: entry.key, entry, place, body: reader.entries(place) };
      if (place?.node && !isMap(place.node)) {
        reader.problem("error", "document.not_a_service", { key: "document.not_a_service", params: { name: entry.key } }, ["services", entry.key], { span: reader.span(entry), node: service.id });
      }
      return service;
    });
  }

  /** Return the group that a service is in; what it names wrongly is a problem. */
  private whereIs(service: Service, machines: ReadonlyMap<string, Entry>, regions: ReadonlyMap<string, Entry>): { parent: NodeId | null; machine: string } {
    const { reader } = this;
    const own = service.body.has("x-escale") ? reader.place(service.body.get("x-escale")) : null;
    const machine = reader.textAt(own, "machine");
    const region = reader.textAt(own, "region");
    const path = ["services", service.name, "x-escale"];
    if (machine !== "" && !machines.has(machine)) this.unknownPlace("machine", machine, [...path, "machine"], service.id, reader.go(own, "machine"));
    if (region !== "" && !regions.has(region)) this.unknownPlace("region", region, [...path, "region"], service.id, reader.go(own, "region"));
    if (machines.has(machine)) return { parent: idOf("machine", machine), machine };
    return { parent: regionFor(region, regions), machine: "" };
  }

  private unknownPlace(kind: "machine" | "region", name: string, path: string[], node: NodeId, place: Place | null): void {
    this.reader.problem("error", `document.unknown_${kind}`, { key: `document.unknown_${kind}`, params: { name } }, path, {
      span: this.reader.spanOf(place?.node ?? null),
      node,
      fixes: [
        { title: { key: `document.fix.declare_${kind}`, params: { name } }, edits: [{ path: [...HOME[kind], name], op: "set", value: {} }] },
        { title: { key: "document.fix.forget_place", params: { name } }, edits: [{ path, op: "delete" }] },
      ],
    });
  }

  private regions(regions: ReadonlyMap<string, Entry>): void {
    for (const entry of regions.values()) {
      const place = this.reader.place(entry);
      this.reader.nodes.push({
        id: idOf("region", entry.key), kind: "region", name: entry.key, path: [...HOME.region, entry.key],
        span: this.reader.span(entry), parent: null, ...this.basics("region", entry.key),
        cloud: this.reader.textAt(place, "cloud"), title: this.reader.textAt(place, "title"),
        collapsed: this.collapsed.has(idOf("region", entry.key)),
      });
    }
  }

  private machines(machines: ReadonlyMap<string, Entry>, regions: ReadonlyMap<string, Entry>, hosts: Set<string>): void {
    const { reader } = this;
    for (const entry of machines.values()) {
      const place = reader.place(entry);
      const id = idOf("machine", entry.key);
      const region = reader.textAt(place, "region");
      if (region !== "" && !regions.has(region)) this.unknownPlace("region", region, ["x-escale", "machines", entry.key, "region"], id, reader.go(place, "region"));
      const count = reader.textAt(place, "count");
      const node: MachineNode = {
        id, kind: "machine", name: entry.key, path: [...HOME.machine, entry.key], span: reader.span(entry),
        parent: regionFor(region, regions), ...this.basics("machine", entry.key),
        template: reader.textAt(place, "template"), cluster: reader.textAt(place, "cluster"),
        cpus: reader.textAt(place, "cpus"), memory: reader.textAt(place, "memory"),
        count: /^\d{1,6}$/.test(count) ? Number(count) : 1,
        plain: !hosts.has(entry.key), collapsed: this.collapsed.has(id), ...placeOf(reader, place),
      };
      reader.nodes.push(node);
    }
  }

  private isRunnable(service: Service, node: ServiceNode): void {
    if (service.place?.node && !isMap(service.place.node)) return;
    if (node.image !== "" || node.build || service.body.has("extends") || service.body.has("provider")) return;
    this.reader.problem("error", "document.nothing_to_run", { key: "document.nothing_to_run", params: { name: service.name } }, node.path, { span: node.span, node: node.id });
  }

  /** Volumes, networks, configs and secrets that the file declares. */
  private resources(): void {
    const { reader } = this;
    for (const kind of ["volume", "network", "config", "secret"] as const) {
      for (const entry of reader.entries(this.root, SECTION[kind]).values()) {
        this.declared.add(idOf(kind, entry.key));
        this.resource(kind, entry.key, entry, null);
      }
    }
  }

  private resource(kind: "volume" | "network" | "config" | "secret", name: string, entry: Entry | null, used: Reference | null): void {
    const { reader } = this;
    const place = entry ? reader.place(entry) : null;
    const base = {
      id: idOf(kind, name), name, path: [SECTION[kind], name], parent: null,
      span: entry ? reader.span(entry) : (used?.span ?? { from: 0, to: 0 }), ...this.basics(kind, name),
    };
    const external = place !== null && /^(true|yes|on)$/i.test(reader.textAt(place, "external")) || isMap(reader.go(place, "external")?.node);
    if (kind === "volume") reader.nodes.push({ ...base, kind, capacity: reader.textAt(place, "x-escale", "size"), external });
    else if (kind === "network") {
      reader.nodes.push({ ...base, kind, external, internal: /^true$/i.test(reader.textAt(place, "internal")), implicit: entry === null && name === "default" });
    } else {
      const said = ["file", "environment", "content"].find((key) => reader.textAt(place, key) !== "");
      const text = said ? `${said}: ${reader.textAt(place, said).slice(0, 200)}` : "";
      reader.nodes.push({ ...base, kind, source: external ? "external" : text });
    }
  }

  private connect(services: Service[]): void {
    const { reader } = this;
    const known = new Set<NodeId>(reader.nodes.map((node) => node.id));
    const graph = new Map<string, string[]>();
    const onDefault: Service[] = [];
    let explicit = false;
    const told = new Set<string>();
    for (const service of services) {
      const depends: string[] = [];
      graph.set(service.name, depends);
      let networks = false;
      for (const reference of references(reader, service)) {
        const target = targetOf(reference);
        if (reference.kind === "network") networks = explicit = true;
        if (!known.has(target)) {
          if (reference.kind === "depends_on" || reference.kind === "link") {
            this.unknownService(service, reference);
            continue;
          }
          known.add(target);
          this.resource(reference.kind, reference.name, null, reference);
        }
        if (!told.has(target)) this.undeclared(service, reference, target, told);
        if (reference.kind === "depends_on") depends.push(reference.name);
        const { kind, label, condition, path, span } = reference;
        reader.edge({ kind, source: service.id, target, label, ...(condition ? { condition } : {}), path, span });
      }
      if (!networks && !service.body.has("network_mode")) onDefault.push(service);
    }
    if (onDefault.length > 0 && (explicit || known.has("network:default"))) {
      if (!known.has("network:default")) this.resource("network", "default", null, null);
      for (const service of onDefault) {
        const span = reader.span(service.entry);
        reader.edge({ kind: "network", source: service.id, target: "network:default", label: "", path: ["services", service.name], span });
      }
    }
    this.circles(graph, services);
  }

  private unknownService(service: Service, reference: Reference): void {
    this.reader.problem("error", "document.unknown_service", { key: "document.unknown_service", params: { name: reference.name, service: service.name } }, reference.path, {
      span: reference.span,
      node: service.id,
      fixes: [
        { title: { key: "document.fix.remove_entry", params: { name: reference.name } }, edits: [{ path: reference.path, op: "delete" }] },
      ],
    });
  }

  private undeclared(service: Service, reference: Reference, target: NodeId, told: Set<string>): void {
    told.add(target);
    const { kind, name } = reference;
    if (kind === "depends_on" || kind === "link" || target === "network:default") return;
    const section = SECTION[kind];
    if (this.declared.has(target)) return;
    const value = kind === "config" || kind === "secret" ? { file: `./${name}.txt` } : null;
    this.reader.problem("error", `document.undeclared_${kind}`, { key: `document.undeclared_${kind}`, params: { name, service: service.name } }, reference.path, {
      span: reference.span,
      node: target,
      fixes: [{ title: { key: `document.fix.declare_${kind}`, params: { name } }, edits: [{ path: [section, name], op: "set", value }] }],
    });
  }

  private circles(graph: Map<string, string[]>, services: Service[]): void {
    const byName = new Map(services.map((service) => [service.name, service]));
    for (const circle of circles(graph)) {
      const service = byName.get(circle[0] as string);
      if (!service) continue;
      const way = [...circle, circle[0]].slice(0, 12).join(" → ");
      this.reader.problem("error", "document.circle", { key: "document.circle", params: { way } }, [...HOME.service, service.name, "depends_on"], {
        span: this.reader.span(service.body.get("depends_on") ?? service.entry),
        node: service.id,
      });
    }
  }
}

function regionFor(name: string, regions: ReadonlyMap<string, Entry>): NodeId | null {
  if (regions.has(name)) return idOf("region", name);
  // What names no region belongs to the first one.
  const [first] = regions.keys();
  return first === undefined ? null : idOf("region", first);
}
