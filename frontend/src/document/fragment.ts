/** Pieces of Compose that are put into a text: pasted, duplicated. */
import { inGroup } from "./commands/add";
import { cleanName, drawingOf, isName, lieAt, namesOf, nodesById } from "./commands/context";
import type { Wish } from "./commands/context";
import { renameAll } from "./commands/rename";
import { Draft } from "./draft";
import { Refused } from "./locate";
import { HOME, idOf, uniqueName } from "./names";
import { Flow, isPlainMap } from "./quoting";
import type { Plain } from "./quoting";
import { sameValue } from "./tree";
import type { Kind, NodeId, Point } from "./types";

export const CANVAS_KEYS: readonly Kind[] = ["service", "volume", "network", "config", "secret", "machine", "region"];

const SECTIONS = new Set(["services", "volumes", "networks", "configs", "secrets", "name", "version", "include"]);
const SERVICE_KEYS = new Set(["image", "build", "command", "ports", "environment", "container_name", "restart", "volumes", "depends_on"]);
const SPACING: Point = [280, 180];
const PER_ROW = 4;

/** Return a pasted text as a Compose file: a whole one, services by name, or the body of one service. */
export function readFragment(yaml: string): Draft {
  let draft: Draft;
  try {
    draft = new Draft(yaml.replace(/^\ufeff/, ""));
  } catch (error) {
    if (error instanceof Refused) throw new Refused({ key: "document.paste_invalid" });
    throw error;
  }
  const root = draft.value([]);
  if (!isPlainMap(root)) throw new Refused({ key: "document.paste_not_compose" });
  const keys = Object.keys(root).filter((key) => !key.startsWith("x-"));
  const known = keys.filter((key) => SECTIONS.has(key));
  const isService = keys.length > 0 && keys.some((key) => key === "image" || key === "build") && (typeof root.image === "string" || root.build !== undefined);
  if (isService && keys.every((key) => !SECTIONS.has(key) || SERVICE_KEYS.has(key) || Array.isArray(root[key]) || key === "networks")) {
    return wrapped({ [nameFor(root)]: root });
  }
  if (known.length > 0 || (keys.length === 0 && isPlainMap(root["x-escale"]))) return draft;
  const isServices = keys.length > 0 && keys.every((key) => isPlainMap(root[key]) && Object.keys(root[key]).some((part) => SERVICE_KEYS.has(part) || part === "deploy"));
  if (!isServices) throw new Refused({ key: "document.paste_not_compose" });
  return wrapped(Object.fromEntries(keys.map((key) => [key, root[key]])));
}

function nameFor(service: Plain): string {
  const image = typeof service.image === "string" ? service.image : "";
  const own = typeof service.container_name === "string" ? service.container_name : "";
  return cleanName("service", own || ((image.split("/").at(-1) ?? "").split(/[:@$]/)[0] ?? "") || "service");
}

function wrapped(services: Plain): Draft {
  const draft = new Draft("");
  draft.set(Object.entries(services).map(([name, body]) => ({ path: ["services", name], value: body })));
  return draft;
}

/**
 * Put a fragment into a text. Names that are taken are changed throughout the fragment, except that volumes, networks,
 * configs, secrets, machines and regions that are the same in both are shared; `fresh` are copied nevertheless.
 */
export function insertFragment(draft: Draft, fragment: Draft, where: { parent?: NodeId | null; at?: Point }, fresh: ReadonlySet<NodeId> = new Set()): void {
  const drawing = drawingOf(draft.text);
  const shared = new Set<NodeId>();
  const renamed = new Map<NodeId, string>();
  for (const kind of CANVAS_KEYS) {
    const taken = namesOf(drawing, kind);
    const own = fragment.value(HOME[kind]);
    const names = isPlainMap(own) ? Object.keys(own) : [];
    const used = new Set([...taken, ...names]);
    for (const name of names) {
      const id = idOf(kind, name);
      const clean = isName(kind, name) ? name : cleanName(kind, name);
      if (!taken.has(name) && clean === name) continue;
      if (taken.has(name) && kind !== "service" && !fresh.has(id)) {
        const theirs = fragment.value([...HOME[kind], name]) ?? null;
        const ours = draft.value([...HOME[kind], name]) ?? null;
        if (sameValue(theirs, ours) || isEmpty(theirs)) {
          shared.add(id);
          continue;
        }
      }
      const to = uniqueName(clean, used);
      used.add(to);
      renamed.set(id, to);
    }
  }
  if (renamed.size > 0) renameAll(fragment, renamed);
  put(draft, fragment, where, shared);
}

function isEmpty(value: unknown): boolean {
  return value === null || (isPlainMap(value) && Object.keys(value).length === 0);
}

function put(draft: Draft, fragment: Draft, { parent, at }: { parent?: NodeId | null; at?: Point }, shared: ReadonlySet<NodeId>): void {
  const wishes: Wish[] = [];
  const boxes: Wish[] = [];
  const inside = nodesById(drawingOf(fragment.text));
  const containers = containerNames(draft);
  const free: { id: NodeId; at: Point | null; size: Point | null }[] = [];
  for (const kind of CANVAS_KEYS) {
    const own = fragment.value(HOME[kind]);
    for (const [name, value] of Object.entries(isPlainMap(own) ? own : {})) {
      const id = idOf(kind, name);
      if (shared.has(id)) continue;
      const node = inside.get(id);
      const isLoose = !node || node.parent === null;
      let body = value;
      if (kind === "service" && isPlainMap(value)) {
        body = isPlainMap(value["x-escale"]) ? { ...value, "x-escale": new Flow(value["x-escale"]) } : value;
        // Two containers cannot have one name; the engine finds another.
        if (containers.has(String(value.container_name))) body = { ...(body as Plain), container_name: undefined };
      }
      if (parent && isLoose) body = inGroup(kind, body, parent);
      wishes.push({ path: [...HOME[kind], name], value: body });
      draft.created.push(id);
      if (isLoose) free.push({ id, at: node?.at ?? null, size: node?.size ?? null });
      else if (node.at) boxes.push(lieAt(id, node.at, node.size));
    }
  }
  boxes.push(...layOut(free, at));
  draft.set([...wishes, ...boxes]);
  keepDefaults(draft, fragment);
  if (draft.created.length === 0) throw new Refused({ key: "document.paste_nothing" });
}

function containerNames(draft: Draft): Set<string> {
  const services = draft.value(HOME.service);
  const bodies = isPlainMap(services) ? Object.values(services) : [];
  return new Set(bodies.flatMap((body) => (isPlainMap(body) && typeof body.container_name === "string" ? [body.container_name] : [])));
}

/** Lay the pasted cards out around a point: as they lay, or in rows. */
function layOut(free: { id: NodeId; at: Point | null; size: Point | null }[], at: Point | undefined): Wish[] {
  const placed = free.filter((one): one is { id: NodeId; at: Point; size: Point | null } => one.at !== null);
  if (!at) return placed.map((one) => lieAt(one.id, one.at, one.size));
  const left = Math.min(...placed.map((one) => one.at[0]));
  const top = Math.min(...placed.map((one) => one.at[1]));
  let row = placed.length > 0 ? Math.max(...placed.map((one) => one.at[1])) - top + SPACING[1] : 0;
  let column = 0;
  return free.map((one) => {
    if (one.at) return lieAt(one.id, [at[0] + one.at[0] - left, at[1] + one.at[1] - top], one.size);
    const point: Point = [at[0] + column * SPACING[0], at[1] + row];
    if (++column === PER_ROW) {
      column = 0;
      row += SPACING[1];
    }
    return lieAt(one.id, point, one.size);
  });
}

/** Take over what a pasted file says about all of it, where nothing is said yet. */
function keepDefaults(draft: Draft, fragment: Draft): void {
  const theirs = fragment.value(["x-escale"]);
  if (!isPlainMap(theirs)) return;
  const skip = new Set(["canvas", "machines", "regions"]);
  draft.set(
    Object.entries(theirs)
      .filter(([key]) => !skip.has(key) && draft.value(["x-escale", key]) === undefined)
      .map(([key, value]) => ({ path: ["x-escale", key], value })),
  );
}

