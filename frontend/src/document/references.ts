/** Who refers to a node, where that is written, and how it is renamed or taken away. */
import { isMap, isScalar, isSeq } from "yaml";

import type { Change } from "./changes";
import { HOME, SECTION } from "./names";
import { splitColons } from "./ports";
import { textOf } from "./source";
import type { Entry, Place, Tree } from "./tree";
import type { Kind, NodeId, Path } from "./types";

export interface Reference {
  /** The service (or machine) that refers; null: the canvas's own notes. */
  from: NodeId | null;
  /** The key that refers: "depends_on", "links", … */
  by: string;
  written: Path;
  rename: (to: string) => Change;
  remove: Change[];
}

export class References {
  private readonly found = new Map<string, Reference>();

  private constructor(private readonly tree: Tree, private readonly kind: Kind, private readonly name: string) {}

  /** Return all references to a node, each place of the text once, also those in anchors that services merge. */
  static to(tree: Tree, kind: Kind, name: string): Reference[] {
    const references = new References(tree, kind, name);
    references.search();
    return [...references.found.values()];
  }

  private add(from: NodeId | null, by: string, written: Path, rename: (to: string) => Change, remove?: Change[]): void {
    const id = JSON.stringify(written);
    if (!this.found.has(id)) this.found.set(id, { from, by, written, rename, remove: remove ?? [{ op: "delete", path: written }] });
  }

  private search(): void {
    const { tree, kind, name } = this;
    const services = tree.at(HOME.service);
    for (const entry of services ? tree.entries(services).values() : []) {
      const place = tree.settle(entry.pair.value, entry.written);
      const body = tree.entries(place);
      const from: NodeId = `service:${entry.key}`;
      if (kind === "service") this.ofService(from, body);
      else if (kind === "machine" || kind === "region") this.ofPlace(from, body.get("x-escale"), kind);
      else this.ofResource(from, body, SECTION[kind]);
    }
    if (kind === "region") {
      const machines = tree.at(HOME.machine);
      for (const entry of machines ? tree.entries(machines).values() : []) {
        const body = tree.entries(tree.settle(entry.pair.value, entry.written));
        this.scalar(`machine:${entry.key}`, "region", body.get("region"), (text) => text === name, (_, to) => to);
      }
    }
    this.onCanvas();
  }

  private ofService(from: NodeId, body: Map<string, Entry>): void {
    const { name } = this;
    const whole = (text: string): boolean => text === name;
    const head = (text: string): boolean => splitColons(text)[0] === name;
    const swapHead = (text: string, to: string): string => to + text.slice(name.length);
    this.listOrMap(from, "depends_on", body.get("depends_on"), whole, (_, to) => to);
    this.list(from, "links", body.get("links"), head, swapHead);
    this.list(from, "volumes_from", body.get("volumes_from"), head, swapHead);
    for (const key of ["network_mode", "ipc", "pid", "uts", "cgroup"]) {
      this.scalar(from, key, body.get(key), (text) => text === `service:${name}`, (_, to) => `service:${to}`);
    }
    const extended = body.get("extends");
    if (extended && isMap(extended.value)) {
      const parts = this.tree.entries(this.place(extended));
      const remove: Change[] = [{ op: "delete", path: extended.written }];
      if (!parts.has("file")) this.scalar(from, "extends", parts.get("service"), whole, (_, to) => to, remove);
    } else this.scalar(from, "extends", extended, whole, (_, to) => to);
    const own = body.get("x-escale");
    const extension = own ? this.tree.entries(this.place(own)) : new Map<string, Entry>();
    this.list(from, "uses", extension.get("uses"), whole, (_, to) => to);
    for (const key of ["affinity", "anti_affinity"]) {
      const relation = extension.get(key);
      if (!relation) continue;
      const place = this.place(relation);
      if (isMap(place.node)) this.relation(from, key, place, relation.written);
      else this.tree.items(place).forEach((item, index) => this.relation(from, key, item, [...place.written, index]));
    }
  }

  private relation(from: NodeId, by: string, place: Place, whole: Path): void {
    const services = this.tree.entries(place).get("services");
    if (!services) return;
    const list = this.place(services);
    // A relation to nobody is not one.
    const alone = isSeq(list.node) && list.node.items.length === 1;
    const remove: Change[] | undefined = alone ? [{ op: "delete", path: whole }] : undefined;
    this.list(from, by, services, (text) => text === this.name, (_, to) => to, remove);
  }

  private ofResource(from: NodeId, body: Map<string, Entry>, section: string): void {
    const { name, kind } = this;
    if (kind === "network") {
      this.listOrMap(from, section, body.get(section), (text) => text === name, (_, to) => to);
      return;
    }
    const holders: [string, Entry | undefined][] = [[section, body.get(section)]];
    const build = body.get("build");
    if (kind === "secret" && build && isMap(build.value)) holders.push(["build", this.tree.entries(this.place(build)).get("secrets")]);
    const matches = kind === "volume" ? (text: string) => splitColons(text)[0] === name && text !== name : (text: string) => text === name;
    for (const [by, holder] of holders) {
      if (!holder) continue;
      this.list(from, by, holder, matches, (text, to) => to + text.slice(name.length));
      const list = this.place(holder);
      this.tree.items(list).forEach((item, index) => {
        if (!isMap(item.node)) return;
        const parts = this.tree.entries(item);
        const type = parts.get("type");
        if (kind === "volume" && type && textOf(type.value) !== "volume") return;
        const remove: Change[] = [{ op: "delete", path: [...list.written, index] }];
        this.scalar(from, by, parts.get("source"), (text) => text === name, (_, to) => to, remove);
      });
    }
  }

  private ofPlace(from: NodeId, own: Entry | undefined, key: "machine" | "region"): void {
    if (!own) return;
    this.scalar(from, key, this.tree.entries(this.place(own)).get(key), (text) => text === this.name, (_, to) => to);
  }

  private onCanvas(): void {
    const { tree, kind, name } = this;
    const id = `${kind}:${name}`;
    const canvas = tree.at(["x-escale", "canvas"]);
    if (!canvas) return;
    const parts = tree.entries(canvas);
    const section = parts.get(SECTION[kind]);
    const box = section && tree.entries(this.place(section)).get(name);
    if (box) this.add(null, "canvas", box.written, (to) => ({ op: "rename", path: box.written, to }));
    this.list(null, "collapsed", parts.get("collapsed"), (text) => text === id, (_, to) => `${kind}:${to}`);
    const comments = parts.get("comments");
    if (!comments) return;
    const list = this.place(comments);
    tree.items(list).forEach((item, index) => {
      const remove: Change[] = [{ op: "delete", path: [...list.written, index] }];
      this.scalar(null, "comments", tree.entries(item).get("on"), (text) => text === id, (_, to) => `${kind}:${to}`, remove);
    });
  }

  private place(entry: Entry): Place {
    return this.tree.settle(entry.pair.value, entry.written);
  }

  private list(from: NodeId | null, by: string, entry: Entry | undefined, matches: (text: string) => boolean, swap: (text: string, to: string) => string, remove?: Change[]): void {
    if (!entry) return;
    const list = this.place(entry);
    this.tree.items(list).forEach((item, index) => {
      if (!isScalar(item.node)) return;
      const text = textOf(item.node);
      const written = [...list.written, index];
      if (matches(text)) this.add(from, by, written, (to) => ({ op: "set", path: written, value: swap(text, to) }), remove);
    });
  }

  private listOrMap(from: NodeId, by: string, entry: Entry | undefined, matches: (text: string) => boolean, swap: (text: string, to: string) => string): void {
    this.list(from, by, entry, matches, swap);
    if (!entry || !isMap(entry.value)) return;
    for (const part of this.tree.entries(this.place(entry)).values()) {
      if (matches(part.key)) this.add(from, by, part.written, (to) => ({ op: "rename", path: part.written, to: swap(part.key, to) }));
    }
  }

  private scalar(from: NodeId | null, by: string, entry: Entry | undefined, matches: (text: string) => boolean, swap: (text: string, to: string) => string, remove?: Change[]): void {
    if (!entry || !isScalar(entry.value)) return;
    const text = textOf(entry.value);
    if (matches(text)) this.add(from, by, entry.written, (to) => ({ op: "set", path: entry.written, value: swap(text, to) }), remove);
  }
}
