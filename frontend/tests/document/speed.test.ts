import { expect, it } from "vitest";

import { apply, compare, derive, merge } from "../../src/document";
import type { Command } from "../../src/document";
import { drawing, run } from "./helpers";

/** A drawing of so many services, each of ten lines or so, on machines in regions. */
export function large(services: number): string {
  const lines = ["# many", "name: large", "services:"];
  for (let i = 0; i < services; i++) {
    lines.push(
      `  svc-${i}:`, `    image: registry.example.com/team/app-${i % 40}:1.${i}`, "    restart: unless-stopped", `    ports: ["${8_000 + i}:80"]`,
      "    depends_on:", `      - svc-${(i * 7 + 1) % services > i ? (i + 1) % services : (i * 7 + 1) % services}`, "    networks: [back]",
      `    x-escale: { machine: m-${i % 50} }`, "",
    );
    if (i === 0) lines.splice(-5, 2);
  }
  lines.push("networks:", "  back:", "x-escale:", "  machines:");
  for (let i = 0; i < 50; i++) lines.push(`    m-${i}: { cpus: 2, memory: 4GiB }`);
  return `${lines.join("\n")}\n`;
}

/** Processor time of this process: what else the machine does is no fault of the code. */
const cpu = (work: () => unknown): number => {
  const start = process.cpuUsage();
  work();
  const { user, system } = process.cpuUsage(start);
  return user + system;
};
const best = (work: (round: number) => unknown): number => Math.min(...[0, 1, 2, 3].map((round) => cpu(() => work(round))));

const text = large(2_000);

// No time is a goal here (those are in benchmarks/): this fails when something grows by the square, which would be 16.
it("draws 2,000 services with work that grows with their number", () => {
  const small = best((round) => derive(large(500).replace("many", `many ${round}`)));
  const big = best((round) => derive(text.replace("many", `many ${round}`)));
  expect(big / small).toBeLessThan(9);
});

it.each<[string, Command]>([
  ["place one", { do: "place", moves: [{ id: "service:svc-7", at: [1, 2] }] }],
  ["place all", { do: "place", moves: Array.from({ length: 2_000 }, (_, i) => ({ id: `service:svc-${i}` as const, at: [i, i] as const })) }],
  ["place all in a group", { do: "place", moves: Array.from({ length: 2_000 }, (_, i) => ({ id: `service:svc-${i}` as const, at: [i, i] as const, parent: "machine:m-1" as const })) }],
  ["rename", { do: "rename", id: "service:svc-7", to: "other" }],
  ["remove 100", { do: "remove", nodes: Array.from({ length: 100 }, (_, i) => `service:svc-${i * 3}` as const), edges: [] }],
  ["set", { do: "set", path: ["services", "svc-1999", "image"], value: "x" }],
  ["connect", { do: "connect", kind: "depends_on", source: "service:svc-1999", target: "service:svc-3" }],
  ["duplicate 50", { do: "duplicate", nodes: Array.from({ length: 50 }, (_, i) => `service:svc-${i}` as const) }],
])("carries out on 2,000 services, within the patience of a test: %s", (_, command) => {
  derive(text);
  expect(apply(text, command)).toMatchObject({ ok: true });
});

it("opens, changes and undoes a file of 5,000 lines and more", () => {
  const file = large(600);
  expect(file.split("\n").length).toBeGreaterThan(5_000);
  const moved = run(file, { do: "place", moves: [{ id: "service:svc-300", at: [5, 5] }] });
  expect(drawing(moved).nodes.find((node) => node.id === "service:svc-300")?.at).toEqual([5, 5]);
});

it("compares and merges large files", () => {
  const mine = run(text, { do: "set", path: ["services", "svc-3", "image"], value: "mine" });
  const theirs = run(text, { do: "set", path: ["services", "svc-1990", "image"], value: "theirs" });
  const merged = merge(text, mine, theirs);
  expect(merged.conflicts).toEqual([]);
  expect(compare(text, merged.text).nodes.map((node) => node.id)).toEqual(["service:svc-3", "service:svc-1990"]);
});
