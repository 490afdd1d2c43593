import { describe, expect, it } from "vitest";

import { derive } from "../../src/document";
import type { DrawingNode, MachineNode, NodeId, RegionNode, ServiceNode } from "../../src/document";
import { corpus, drawing } from "./helpers";
import { nasty } from "./nasty";

const node = <T extends DrawingNode>(text: string, id: NodeId): T => {
  const found = drawing(text).nodes.find((one) => one.id === id);
  if (!found) throw new Error(`no ${id}`);
  return found as T;
};
const edges = (text: string): string[] => drawing(text).edges.map((edge) => edge.id);
const codes = (text: string): string[] => drawing(text).problems.map((problem) => problem.code);

describe("a drawing", () => {
  it("shows of a service what its card needs", () => {
    const web = node<ServiceNode>(`services:
  web:
    image: registry.example.com:5000/team/nginx:1.29
    deploy: { replicas: 3, resources: { limits: { cpus: "0.50", memory: 512M } } }
    ports: ["127.0.0.1:8080:80/tcp", "53:53/udp", 9000, "8000-8010:8000-8010", "\${PORT:-80}:80", "[::1]:1:2", { target: 443, published: "8443", protocol: tcp }]
    healthcheck: { test: [CMD, x] }
    profiles: [a, b]
    restart: unless-stopped
    volumes: [a:/a, ./b:/b]
volumes: {a: }
`, "service:web");
    expect(web).toMatchObject({ icon: "web", replicas: 3, cpus: "0.50", memory: "512M", health: "checked", profiles: ["a", "b"], restart: "unless-stopped", volumes: 2, build: false });
    expect(web.ports).toEqual([
      { published: "8080", target: "80", protocol: "tcp" },
      { published: "53", target: "53", protocol: "udp" },
      { published: "", target: "9000", protocol: "tcp" },
      { published: "8000-8010", target: "8000-8010", protocol: "tcp" },
      { published: "${PORT:-80}", target: "80", protocol: "tcp" },
      { published: "1", target: "2", protocol: "tcp" },
      { published: "8443", target: "443", protocol: "tcp" },
    ]);
  });

  it("chooses icons by the last part of the image, then by the name", () => {
    const icon = (name: string, image: string): string => node<ServiceNode>(`services: {${name}: {image: "${image}"}}`, `service:${name}`).icon;
    expect(icon("x", "docker.io/library/postgres:17@sha256:0123")).toBe("db");
    expect(icon("x", "redislabs/redismod")).toBe("cache");
    expect(icon("x", "rabbitmq:4")).toBe("queue");
    expect(icon("x", "prom/prometheus")).toBe("monitor");
    expect(icon("celery-worker", "acme/thing")).toBe("worker");
    expect(icon("x", "acme/thing")).toBe("box");
  });

  it("puts services into machines, machines into regions, and what names no region into the first", () => {
    const text = nasty["long forms"]!;
    expect(node<ServiceNode>(text, "service:web")).toMatchObject({ parent: "machine:front", at: [10, 20], size: null });
    expect(node<ServiceNode>(text, "service:db").parent).toBe("region:paris");
    expect(node<ServiceNode>(text, "service:cache").parent).toBe("region:paris");
    expect(node<MachineNode>(text, "machine:front")).toMatchObject({ parent: "region:paris", at: [0, 0], size: [300, 200], plain: false, collapsed: true, cpus: "2" });
    expect(node<MachineNode>(text, "machine:workers")).toMatchObject({ parent: "region:backup", count: 3, plain: true });
    expect(node<RegionNode>(text, "region:paris")).toMatchObject({ cloud: "paris", title: "Paris", parent: null });
    expect(node(text, "service:db").comments).toMatchObject([{ index: 0, text: "why?", by: "alice", resolved: false }]);
  });

  it("has an edge for each reference, short or long", () => {
    expect(edges(nasty["long forms"]!).sort()).toEqual([
      "config:db>plain", "config:db>settings", "link:web>cache", "link:web>db", "network:cache>default", "network:copy>default",
      "network:db>default", "network:proxy>back", "network:proxy>front", "secret:db>token", "volume:db>data", "volume:db>more",
    ]);
    const { edges: all } = drawing(nasty["long forms"]!);
    expect(all.find((edge) => edge.id === "network:proxy>back")?.label).toBe("edge, door");
    expect(all.find((edge) => edge.id === "volume:db>more")?.label).toBe("/more");
    const long = drawing(nasty["comments everywhere"]!).edges.find((edge) => edge.id === "depends_on:web>db");
    expect(long).toMatchObject({ condition: "service_healthy", path: ["services", "web", "depends_on", "db"] });
  });

  it("tells two mounts of one volume apart", () => {
    expect(edges("services: {a: {image: x, volumes: ['v:/1', 'v:/2']}}\nvolumes: {v: }\n")).toEqual(["volume:a>v", "volume:a>v#2"]);
  });

  it("shows the default network only beside others", () => {
    expect(drawing("services: {a: {image: x}, b: {image: x}}").nodes).toHaveLength(2);
    const text = "services: {a: {image: x}, b: {image: x, networks: [n]}}\nnetworks: {n: }\n";
    expect(node(text, "network:default")).toMatchObject({ implicit: true });
    expect(edges(text)).toEqual(["network:b>n", "network:a>default"]);
  });

  it("follows aliases and merges", () => {
    const text = nasty["anchors and merges"]!;
    expect(edges(text)).toEqual(expect.arrayContaining([
      "depends_on:web>db", "depends_on:api>db", "depends_on:api>cache", "depends_on:worker2>db", "network:worker2>back", "volume:db>data",
    ]));
    expect(node<ServiceNode>(text, "service:worker2").image).toBe("worker");
    expect(node<ServiceNode>(text, "service:api").cpus).toBe("2");
  });

  it.each(Object.entries(nasty).filter(([name]) => !/second|another|nulls/.test(name)))("has no problem with a good file: %s", (_, text) => {
    expect(drawing(text).problems.filter((problem) => problem.severity === "error")).toEqual([]);
  });

  it("draws the first of several documents and says so", () => {
    const text = nasty["a start, an end and another document"]!;
    expect(codes(text)).toEqual(["document.many_documents"]);
    expect(drawing(text).nodes.map((one) => one.id)).toEqual(["service:web", "service:db"]);
  });

  it("keeps names as they are written", () => {
    expect(drawing(nasty["emoji and odd names"]!).nodes.map((one) => one.name)).toEqual(["web", "d.b-1_x", "123", "yes", "1.50"]);
  });
});

describe("problems of a drawing", () => {
  it("are told with a way out", () => {
    const text = `services:
  a: { image: x, depends_on: [b], volumes: ["data:/d"], networks: [net], secrets: [s], configs: [c] }
  b: { image: x, depends_on: [a, nobody], x-escale: { machine: gone, region: away } }
  c:
  c: { image: y }
`;
    const { problems, nodes } = drawing(text);
    expect(problems.map((problem) => problem.code).sort()).toEqual([
      "document.circle", "document.duplicate_key", "document.nothing_to_run", "document.undeclared_config", "document.undeclared_network",
      "document.undeclared_secret", "document.undeclared_volume", "document.unknown_machine", "document.unknown_region", "document.unknown_service",
    ]);
    expect(nodes.map((one) => one.id)).toEqual(expect.arrayContaining(["volume:data", "network:net", "secret:s", "config:c"]));
    for (const problem of problems) {
      expect(problem.span ?? { from: -1 }).toMatchObject({ from: expect.any(Number) as number });
      if (/unknown|undeclared/.test(problem.code)) expect(problem.fixes?.length).toBeGreaterThan(0);
    }
    const unknown = problems.find((problem) => problem.code === "document.unknown_service")!;
    expect(text.slice(unknown.span!.from, unknown.span!.to)).toBe("nobody");
    expect(problems.find((problem) => problem.code === "document.circle")?.text).toMatchObject({ params: { way: "a → b → a" } });
  });
});

describe("a broken or hostile text", () => {
  it.each([
    ["a tab", "services:\n\tweb: x\n", "document.syntax.tab_as_indent", 2],
    ["an open quote", "services:\n  web:\n    image: \"x\n", "document.syntax.missing_char", 4],
    ["an unknown alias", "a: *b\n", "document.syntax.bad_alias", 1],
    ["binary", "services:\n\0\x01", "document.syntax.binary", 2],
    ["a list", "- a\n- b\n", "document.syntax.not_a_map", 1],
    ["a word", "hello\n", "document.syntax.not_a_map", 1],
  ])("says where it is wrong: %s", (_, text, code, line) => {
    const derived = derive(text);
    if (derived.ok) throw new Error("drawn");
    expect(derived.problems.map((problem) => problem.code)).toContain(code);
    expect(derived.problems.find((problem) => problem.code === code)?.text).toMatchObject({ params: { line } });
    for (const { span } of derived.problems) expect(span!.to).toBeLessThanOrEqual(text.length);
  });

  it.each([["", 0], ["# only a comment\n", 0], ["---\n", 0], ["\ufeff", 0], ["services:\n", 0], ["services: {}\n", 0], ["null\n", 0]])("draws nothing of %j", (text, count) => {
    expect(drawing(text).nodes).toHaveLength(count);
  });

  it("finds something to draw in a file of wrong types", () => {
    const found = codes(nasty["nulls and wrong types"]!);
    expect(found).toEqual(expect.arrayContaining(["document.not_a_service", "document.nothing_to_run"]));
  });

  const bomb = `a: &a [x,x,x,x,x,x,x,x,x]\n${"bcdefghij".split("").map((key, index) => `${key}: &${key} [${Array(9).fill(`*${"abcdefghij"[index]}`).join(",")}]`).join("\n")}\n`;
  const merges = `x0: &x0 {${Array.from({ length: 50 }, (_, i) => `k${i}: 1`).join(", ")}}\n${Array.from({ length: 30 }, (_, i) => `x${i + 1}: &x${i + 1} { <<: [${Array(9).fill(`*x${i}`).join(", ")}] }`).join("\n")}\nservices: *x30\n`;
  it.each([
    ["an alias bomb", `${bomb}services: {w: {image: x, ports: *j, depends_on: *j, networks: *j}}\n`],
    ["a bomb of merges", merges],
    ["an alias within itself", "services: &s\n  a: &a\n    image: x\n    depends_on: &d [*d, b]\n    deploy: *a\n  b: { <<: *a }\n"],
    ["a merge of itself", "services:\n  a: &a\n    <<: *a\n    image: x\n"],
    ["open brackets", "[".repeat(100_000)],
    ["closed brackets", `a: ${"[".repeat(20_000)}${"]".repeat(20_000)}\n`],
    ["nested maps", Array.from({ length: 3_000 }, (_, i) => `${" ".repeat(i)}a:\n`).join("")],
    ["100,000 keys", Array.from({ length: 100_000 }, (_, i) => `k${i}: 1\n`).join("")],
    ["100,000 equal keys", "k: 1\n".repeat(100_000)],
    ["keys of objects", "services:\n  __proto__: {image: x}\n  constructor: {image: x, environment: {__proto__: 1}}\n? [a, b]\n: c\n? {d: e}\n: f\n"],
    ["markup", "services:\n  \"<script>alert(1)</script>\":\n    image: '<img src=x onerror=alert(1)>'\n"],
  ])("is answered in time: %s", (_, text) => {
    const start = process.cpuUsage().user;
    const derived = derive(text);
    expect(process.cpuUsage().user - start).toBeLessThan(8_000_000);
    expect(derived).toHaveProperty("ok");
  });

  it("never throws on the beginnings of a file, nor on one with a character changed", () => {
    for (const text of [corpus[6]![1], nasty["comments everywhere"]!, nasty["anchors and merges"]!]) {
      for (let end = 0; end < text.length; end += 7) derive(text.slice(0, end));
      for (let at = 0; at < text.length; at += 11) for (const sign of ["\t", ":", "[", "\"", "*", "-"]) derive(text.slice(0, at) + sign + text.slice(at + 1));
    }
  });
});
