/** Drawings of any size for tests and benchmarks: 5 services a machine, 10 machines a region, about 1.2 n edges. */
import type { Drawing, DrawingEdge, DrawingNode, IconName, NodeId } from "../src/document/types";

const ICONS: IconName[] = ["web", "api", "db", "cache", "queue"];
const SPAN = { from: 0, to: 0 };

export function synthetic(count: number, grouped = true): Drawing {
  const random = mulberry(42);
  const nodes: DrawingNode[] = [];
  const edges: DrawingEdge[] = [];
  const base = { span: SPAN, at: null, size: null, comments: [] };
  for (let region = 0; grouped && region * 50 < count; region++)
    nodes.push({
      ...base, kind: "region", id: `region:r${region}`, name: `r${region}`, parent: null,
      path: ["x-escale", "regions", `r${region}`], cloud: ["private", "ovh", "ibm", "vmc"][region % 4]!,
      title: ["vSphere Paris", "OVHcloud", "IBM Cloud", "VMC on AWS"][region % 4]! + ` ${region}`, collapsed: false,
    });
  for (let machine = 0; grouped && machine * 5 < count; machine++)
    nodes.push({
      ...base, kind: "machine", id: `machine:m${machine}`, name: `m${machine}`,
      parent: `region:r${Math.floor(machine / 10)}`, path: ["x-escale", "machines", `m${machine}`],
      template: "", cluster: "", cpus: "4", memory: "16GiB", count: 1, plain: false, collapsed: false,
    });
  const service = (index: number): NodeId => `service:n${index}`;
  for (let index = 0; index < count; index++) {
    const icon = ICONS[Math.floor(random() * ICONS.length)]!;
    nodes.push({
      ...base, kind: "service", id: service(index), name: `n${index}`, path: ["services", `n${index}`],
      parent: grouped ? `machine:m${Math.floor(index / 5)}` : null, image: `registry/${icon}:1.${index % 17}`,
      build: false, icon, replicas: 1 + (index % 6), cpus: String(1 + (index % 4)), memory: `${1 << ((index % 4) + 1)}GiB`,
      ports: index % 10 === 0 ? [{ published: String(8000 + index), target: "80", protocol: "tcp" }] : [],
      health: index % 3 === 0 ? "checked" : "none", profiles: [], restart: "", volumes: 0,
    });
  }
  const connect = (from: number, to: number) =>
    edges.push({
      id: `depends_on:n${from}>n${to}`, kind: "depends_on", source: service(from), target: service(to), label: "",
      condition: "service_started", path: ["services", `n${from}`, "depends_on", `n${to}`], span: SPAN,
    });
  for (let index = 1; index < count; index++) {
    connect(index - 1, index);
    if (index % 5 !== 0) continue;
    const to = Math.min(count - 1, Math.floor(index / 50) * 50 + Math.floor(random() * 50));
    if (to !== index && to !== index - 1) connect(index, to);
  }
  return {
    name: "synthetic", nodes, edges, problems: [], lines: count * 12,
    published: nodes.flatMap((node) =>
      node.kind === "service" ? node.ports.map((port) => ({ service: node.id, port })) : [],
    ),
  };
}

function mulberry(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}
