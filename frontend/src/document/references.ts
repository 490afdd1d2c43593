/** Who refers to a node, where that is written, and how it is renamed or taken away. */
import { isMap, isScalar } from "yaml";

import type { Change } from "./changes";
import { HOME, SECTION } from "./names";
import { splitColons } from "./ports";
import { textOf } from "./source";
import type { Entry, Place, Tree } from "./tree";
import type { Kind, NodeId, Path } from "./types";

export interface Reference {
  /** What is referred to. */
  name: string;
  /** The service (or machine) that refers; null: the canvas's own notes. */
  from: NodeId | null;
  /** The key that refers: "depends_on", "links", … */
  by: string;
  written: Path;
  rename: (to: string) => Change;
  remove: Change[];
}

/** How a text names something: [what stands before the name, the name, what stands behind it]; null when it does not. */
type Reading = (text: string) => readonly [before: string, name: string, behind: string] | null;

const whole: Reading = (text) => ["", text, ""];
/** `name:alias`, `name:ro`. */
const head: Reading = (text) => {
  const name = splitColons(text)[0] ?? "";
  return ["", name, text.slice(name.length)];
};
/** `name:/path`; a name alone is a path in the container. */
const mount: Reading = (text) => (text.includes(":") ? head(text) : null);
const after = (prefix: string): Reading => (text) => (text.startsWith(prefix) ? [prefix, text.slice(prefix.length), ""] : null);

type Body = ReadonlyMap<string, Entry>;

export class References {
  private readonly found = new Map<string, Reference>();

  private constructor(private readonly tree: Tree, private readonly kind: Kind, private readonly names: ReadonlySet<string>) {}

  /** Return all references to nodes of a kind, each place of the text once, also those in anchors that services merge. */
  static to(tree: Tree, kind: Kind, names: ReadonlySet<string>): Reference[] {
    const references = new References(tree, kind, names);
    references.search();
    return [...references.found.values()];
  }

  private add(read: Reading, text: string, from: NodeId | null, by: string, written: Path, isKey: boolean, remove?: Change[]): void {
    const [before, name, behind] = read(text) ?? ["", "", ""];
    const id = JSON.stringify(written);
    if (!this.names.has(name) || this.found.has(id)) return;
    const rename = (to: string): Change => {
      const value = before + to + behind;
      return isKey ? { op: "rename", path: written, to: value } : { op: "set", path: written, value };
    };
    this.found.set(id, { name, from, by, written, rename, remove: remove ?? [{ op: "delete", path: written }] });
  }

  private search(): void {
    const { tree, kind } = this;
    const services = tree.at(HOME.service);
    for (const entry of services ? tree.entries(services).values() : []) {
      const body = tree.entries(this.place(entry));
      const from: NodeId = `service:${entry.key}`;
      if (kind === "service") this.ofService(from, body);
      else if (kind === "machine" || kind === "region") this.scalar(from, kind, this.within(body.get("x-escale")).get(kind), whole);
      else this.ofResource(from, body, SECTION[kind]);
    }
    if (kind === "region") {
      const machines = tree.at(HOME.machine);
      for (const entry of machines ? tree.entries(machines).values() : []) {
        this.scalar(`machine:${entry.key}`, "region", this.within(entry).get("region"), whole);
      }
    }
    this.onCanvas();
  }

  private ofService(from: NodeId, body: Body): void {
    this.listOrMap(from, "depends_on", body.get("depends_on"));
    this.list(from, "links", body.get("links"), head);
    this.list(from, "volumes_from", body.get("volumes_from"), head);
    for (const key of ["network_mode", "ipc", "pid", "uts", "cgroup"]) this.scalar(from, key, body.get(key), after("service:"));
    const extended = body.get("extends");
    const parts = this.within(extended);
    if (!extended || !isMap(extended.value)) this.scalar(from, "extends", extended, whole);
    else if (!parts.has("file")) this.scalar(from, "extends", parts.get("service"), whole, [{ op: "delete", path: extended.written }]);
    const extension = this.within(body.get("x-escale"));
    this.list(from, "uses", extension.get("uses"), whole);
    for (const key of ["affinity", "anti_affinity"]) {
      const relation = extension.get(key);
      if (!relation) continue;
      const place = this.place(relation);
      if (isMap(place.node)) this.relation(from, key, place, relation.written);
      else this.tree.items(place).forEach((item, index) => this.relation(from, key, item, [...place.written, index]));
    }
  }

  private relation(from: NodeId, by: string, place: Place, written: Path): void {
    const services = this.tree.entries(place).get("services");
    if (!services) return;
    // A relation to nobody is not one.
    const alone = this.tree.items(this.place(services)).every(({ node }) => this.names.has(textOf(node)));
    this.list(from, by, services, whole, alone ? [{ op: "delete", path: written }] : undefined);
  }

  private ofResource(from: NodeId, body: Body, section: string): void {
    const { kind } = this;
    if (kind === "network") return this.listOrMap(from, section, body.get(section));
    this.uses(from, section, body.get(section));
    if (kind === "secret") this.uses(from, "build", this.within(body.get("build")).get("secrets"));
  }

  /** Mounts, configs and secrets: short as texts, long as maps with a source. */
  private uses(from: NodeId, by: string, entry: Entry | undefined): void {
    if (!entry) return;
    this.list(from, by, entry, this.kind === "volume" ? mount : whole);
    const list = this.place(entry);
    this.tree.items(list).forEach((item, index) => {
      const parts = this.tree.entries(item);
      const type = parts.get("type");
      if (this.kind === "volume" && type && textOf(type.value) !== "volume") return;
      this.scalar(from, by, parts.get("source"), whole, [{ op: "delete", path: [...list.written, index] }]);
    });
  }

  private onCanvas(): void {
    const { tree, kind } = this;
    const canvas = tree.at(["x-escale", "canvas"]);
    if (!canvas) return;
    const parts = tree.entries(canvas);
    for (const box of this.within(parts.get(SECTION[kind])).values()) this.add(whole, box.key, null, "canvas", box.written, true);
    this.list(null, "collapsed", parts.get("collapsed"), after(`${kind}:`));
    const comments = parts.get("comments");
    if (!comments) return;
    const list = this.place(comments);
    tree.items(list).forEach((item, index) => {
      this.scalar(null, "comments", tree.entries(item).get("on"), after(`${kind}:`), [{ op: "delete", path: [...list.written, index] }]);
    });
  }

  private place(entry: Entry): Place {
    return this.tree.settle(entry.pair.value, entry.written);
  }

  private within(entry: Entry | undefined): Body {
    return entry && isMap(entry.value) ? this.tree.entries(this.place(entry)) : new Map<string, Entry>();
  }

  private list(from: NodeId | null, by: string, entry: Entry | undefined, read: Reading, remove?: Change[]): void {
    if (!entry) return;
    const list = this.place(entry);
    this.tree.items(list).forEach((item, index) => {
      if (isScalar(item.node)) this.add(read, textOf(item.node), from, by, [...list.written, index], false, remove);
    });
  }

  private listOrMap(from: NodeId, by: string, entry: Entry | undefined): void {
    this.list(from, by, entry, whole);
    for (const part of this.within(entry).values()) this.add(whole, part.key, from, by, part.written, true);
  }

  private scalar(from: NodeId | null, by: string, entry: Entry | undefined, read: Reading, remove?: Change[]): void {
    if (entry && isScalar(entry.value)) this.add(read, textOf(entry.value), from, by, entry.written, false, remove);
  }
}
