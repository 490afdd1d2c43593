import { mayConnect } from "../connections";
import type { Draft } from "../draft";
import { Refused } from "../locate";
import { HOME, SECTION, splitId } from "../names";
import { isPlainMap } from "../quoting";
import type { Applied, Command, Path, ServiceNode } from "../types";
import { drawingOf } from "./context";

// Where images keep their data, for a mount that nobody has named a path for.
const DATA_PATHS: [RegExp, string][] = [
  [/postg/, "/var/lib/postgresql/data"],
  [/mysql|maria|percona/, "/var/lib/mysql"],
  [/mongo/, "/data/db"],
  [/rabbit/, "/var/lib/rabbitmq"],
  [/elastic/, "/usr/share/elasticsearch/data"],
  [/grafana/, "/var/lib/grafana"],
  [/nginx|httpd/, "/usr/share/nginx/html"],
  [/prometheus/, "/prometheus"],
];

export function dataPath(image: string): string {
  return DATA_PATHS.find(([sign]) => sign.test(image.toLowerCase()))?.[1] ?? "/data";
}

/** Draw an edge from a service. */
export function connect(draft: Draft, command: Extract<Command, { do: "connect" }>): Applied {
  const { kind, on } = command;
  const drawing = drawingOf(draft.text);
  const may = mayConnect(drawing, command.source, command.target, kind);
  if (!may.ok) throw new Refused(may.refused);
  const { source, target } = may;
  const from = splitId(source).name;
  const to = splitId(target).name;
  const service = drawing.nodes.find((node): node is ServiceNode => node.id === source && node.kind === "service");
  const body: Path = [...HOME.service, from];
  if (kind === "depends_on") dependOn(draft, [...body, "depends_on"], to, on);
  else if (kind === "network") {
    const path: Path = [...body, "networks"];
    if (isPlainMap(draft.value(path))) draft.set([{ path: [...path, to], value: null }]);
    else append(draft, path, to);
  } else if (kind === "volume") append(draft, [...body, "volumes"], `${to}:${on || dataPath(service?.image ?? "")}`);
  else if (kind === "link") append(draft, [...body, "links"], to);
  else append(draft, [...body, SECTION[kind]], on ? { source: to, target: on } : to);
  return draft.done({ key: `command.connect.${kind}`, params: { source: from, target: to } });
}

function append(draft: Draft, path: Path, value: unknown): void {
  const now = draft.value(path);
  if (now !== undefined && now !== null && !Array.isArray(now)) throw new Refused({ key: "document.not_a_list", params: { path: path.join(".") } });
  draft.set([{ path: [...path, Array.isArray(now) ? now.length : 0], value }]);
}

function dependOn(draft: Draft, path: Path, name: string, condition: string | undefined): void {
  const now = draft.value(path);
  const long = { condition: condition || "service_started" };
  if (isPlainMap(now)) draft.set([{ path: [...path, name], value: long }]);
  else if (!condition || condition === "service_started") append(draft, path, name);
  else {
    // The short form has no room for a condition: all entries become long ones.
    const others = Array.isArray(now) ? now.map(String) : [];
    const entries = others.map((other) => [other, { condition: "service_started" }] as const);
    draft.set([{ path, value: Object.fromEntries([...entries, [name, long]]) }]);
  }
}
