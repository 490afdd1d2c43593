/** What the commands share: reading of geometry and groups, and the changes that put a node somewhere. */
import type { Draft } from "../draft";
import { derive } from "../derive";
import { Refused } from "../locate";
import { HOME, SECTION, splitId } from "../names";
import { Flow } from "../quoting";
import type { Drawing, DrawingNode, Kind, NodeId, Path, Point } from "../types";

export interface Wish {
  path: Path;
  value: unknown;
}

export const CANVAS: Path = ["x-escale", "canvas"];

export function drawingOf(text: string): Drawing {
  const derived = derive(text);
  if (!derived.ok) throw new Refused({ key: "document.broken" });
  return derived.drawing;
}

export function nodesById(drawing: Drawing): Map<NodeId, DrawingNode> {
  return new Map(drawing.nodes.map((node) => [node.id, node]));
}

/** Return the names that nodes of a kind have. */
export function namesOf(drawing: Drawing, kind: Kind): Set<string> {
  return new Set(drawing.nodes.filter((node) => node.kind === kind).map((node) => node.name));
}

const whole = (value: number): number => Math.round(Number.isFinite(value) ? Math.max(-1e6, Math.min(1e6, value)) : 0);

/** Return the wish that a node lies at a point; its size stays unless another is given. */
export function lieAt(id: NodeId, at: Point, size: Point | null | undefined): Wish {
  const { kind, name } = splitId(id);
  const numbers = size ? [...at, ...size] : [...at];
  return { path: [...CANVAS, SECTION[kind], name], value: new Flow(numbers.map(whole)) };
}

/** Return the wishes that put a service or machine into a group; null: out of all. Other kinds stand in none. */
export function standIn(draft: Draft, id: NodeId, parent: NodeId | null): Wish[] {
  const { kind, name } = splitId(id);
  const to = parent === null ? null : splitId(parent);
  if (kind === "machine") {
    if (to && to.kind !== "region") throw new Refused({ key: "document.no_machine_in_machine", params: { name } });
    return [{ path: [...HOME.machine, name, "region"], value: to?.name }];
  }
  if (kind !== "service") return [];
  if (to && to.kind !== "machine" && to.kind !== "region") throw new Refused({ key: "document.no_such_group", params: { name: to.name } });
  const own: Path = [...HOME.service, name, "x-escale"];
  const keys = { machine: to?.kind === "machine" ? to.name : undefined, region: to?.kind === "region" ? to.name : undefined };
  const now = draft.value(own);
  if (typeof now === "object" && now !== null) {
    return Object.entries(keys).map(([key, value]) => ({ path: [...own, key], value }));
  }
  return to ? [{ path: own, value: new Flow({ [to.kind]: to.name }) }] : [];
}

const NAME: Record<Kind, RegExp> = {
  service: /^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/,
  volume: /^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/,
  network: /^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/,
  config: /^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/,
  secret: /^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/,
  machine: /^[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?$/,
  region: /^[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?$/,
};

export function isName(kind: Kind, name: string): boolean {
  return NAME[kind].test(name);
}

/** Return a name of the kind that is as like the wanted one as may be. */
export function cleanName(kind: Kind, wanted: string): string {
  const host = kind === "machine" || kind === "region";
  const text = (host ? wanted.toLowerCase() : wanted).normalize("NFKD").replace(/[\u0300-\u036f]/g, "");
  const clean = text.replace(host ? /[^a-z0-9-]+/g : /[^A-Za-z0-9._-]+/g, "-").replace(/^[-._]+|[-._]+$/g, "").slice(0, 36).replace(/[-._]+$/, "");
  return clean === "" ? kind : clean;
}
