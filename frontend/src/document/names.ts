import type { EdgeKind, Kind, NodeId, Path } from "./types";

/** Where each kind of node is declared. */
export const HOME: Record<Kind, Path> = {
  service: ["services"],
  volume: ["volumes"],
  network: ["networks"],
  config: ["configs"],
  secret: ["secrets"],
  machine: ["x-escale", "machines"],
  region: ["x-escale", "regions"],
};

/** The names of the kinds in `x-escale.canvas`. */
export const SECTION: Record<Kind, string> = {
  service: "services",
  volume: "volumes",
  network: "networks",
  config: "configs",
  secret: "secrets",
  machine: "machines",
  region: "regions",
};

/** Kinds that a service refers to by a list or map of the same name as their section. */
export const USED = ["volume", "network", "config", "secret"] as const;
export type Used = (typeof USED)[number];

export function idOf(kind: Kind, name: string): NodeId {
  return `${kind}:${name}`;
}

export function splitId(id: string): { kind: Kind; name: string } {
  const colon = id.indexOf(":");
  return { kind: id.slice(0, colon) as Kind, name: id.slice(colon + 1) };
}

/** Which edge leads to a node of this kind; null: none does. */
export function edgeTo(kind: Kind): EdgeKind | null {
  if (kind === "service") return "depends_on";
  return kind === "machine" || kind === "region" ? null : kind;
}

/** Return a name that is not taken: `web`, `web-2`, `web-3`, … */
export function uniqueName(wanted: string, taken: ReadonlySet<string>): string {
  if (!taken.has(wanted)) return wanted;
  const stem = wanted.replace(/-\d+$/, "");
  for (let number = 2; ; number++) {
    const name = `${stem}-${number}`;
    if (!taken.has(name)) return name;
  }
}

/** Return the names of nodes by their kind. */
export function byKind(ids: Iterable<string>): Map<Kind, Set<string>> {
  const found = new Map<Kind, Set<string>>();
  for (const id of ids) {
    const { kind, name } = splitId(id);
    const names = found.get(kind);
    if (names) names.add(name);
    else found.set(kind, new Set([name]));
  }
  return found;
}
