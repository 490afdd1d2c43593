import { describe, expect, it } from "vitest";

import type { ServiceNode } from "../../src/document";
import { corpus, drawing, graph, ids, linesMissingIn, run } from "./helpers";

const variants: [string, (text: string) => string][] = [
  ["as it is", (text) => text],
  ["with CRLF", (text) => text.replace(/\r?\n/g, "\r\n")],
  ["with a BOM", (text) => `\ufeff${text}`],
  ["without a final newline", (text) => text.trimEnd()],
];

it("holds the 20 shared files", () => expect(corpus).toHaveLength(20));

for (const [variant, change] of variants) {
  describe.each(corpus)(`%s ${variant}`, (_, original) => {
    const text = change(original);
    const services = ids(text, "service");

    it("is drawn without problems", () => {
      const { problems, nodes } = drawing(text);
      expect(problems).toEqual([]);
      expect(nodes.length).toBeGreaterThan(0);
      for (const node of nodes.filter((one) => one.kind === "service")) expect(text.slice(node.span.from)).toMatch(new RegExp(`^["']?${node.name}`));
    });

    it("gets only new lines when a card is moved, and one changed line when it is moved again", () => {
      const id = services[0]!;
      const moved = run(text, { do: "place", moves: [{ id, at: [40, 80] }] });
      expect(linesMissingIn(text, moved)).toEqual([]);
      const added = linesMissingIn(moved, text).map((line) => line.trim()).filter(Boolean);
      // "services:" is there already in most files, so it does not always count as new.
      expect(["x-escale:|canvas:|services:", "x-escale:|canvas:"]).toContain(added.slice(0, -1).join("|"));
      expect(added.at(-1)).toBe(`${id.slice(8)}: [40, 80]`);
      expect(/\n$/.test(moved)).toBe(/\n$/.test(text));
      const again = run(moved, { do: "place", moves: [{ id, at: [41, 82] }] });
      expect(linesMissingIn(again, moved)).toHaveLength(1);
      expect(drawing(again).nodes.find((node) => node.id === id)?.at).toEqual([41, 82]);
    });

    it("keeps every line when all cards are moved", () => {
      const all = drawing(text).nodes;
      const moved = run(text, { do: "place", moves: all.map((node, index) => ({ id: node.id, at: [index * 10, 5] as const })) });
      expect(linesMissingIn(text, moved)).toEqual([]);
      expect(drawing(moved).nodes.map((node) => node.at?.[0])).toEqual(all.map((_node, index) => index * 10));
    });

    it("has the same graph with other names when services are renamed", () => {
      const before = graph(text);
      let renamed = text;
      for (const id of services) renamed = run(renamed, { do: "rename", id, to: `renamed-${id.slice(8)}` });
      const names = services.map((id) => id.slice(8));
      const mapped = {
        nodes: before.nodes.map((id) => (id.startsWith("service:") ? `service:renamed-${id.slice(8)}` : id)).sort(),
        edges: before.edges.map((id) => {
          const [kind, rest] = [id.slice(0, id.indexOf(":")), id.slice(id.indexOf(":") + 1)];
          const [source, target] = rest.split(">") as [string, string];
          const to = kind === "depends_on" || kind === "link" ? `renamed-${target}` : target;
          return `${kind}:renamed-${source}>${to}`;
        }).sort(),
      };
      expect(graph(renamed)).toEqual(mapped);
      expect(renamed.split("\n").length).toBe(text.split("\n").length);
      for (const name of names) expect(drawing(renamed).problems.filter((problem) => JSON.stringify(problem).includes(`"${name}"`))).toEqual([]);
    });

    it("has no dangling reference when a service is removed", () => {
      for (const id of services) {
        const without = run(text, { do: "remove", nodes: [id], edges: [] });
        const { nodes, problems } = drawing(without);
        expect(problems).toEqual([]);
        expect(nodes.some((node) => node.id === id)).toBe(false);
        // Nothing is added by a removal, but `services: {}` when it was the last.
        if (services.length > 1) expect(linesMissingIn(without, text)).toEqual([]);
      }
    });

    it("differs in one line when an image is set", () => {
      for (const node of drawing(text).nodes) {
        if (node.kind !== "service") continue;
        const set = run(text, { do: "set", path: ["services", node.name, "image"], value: "example.org/new:1.2" });
        expect(linesMissingIn(set, text)).toHaveLength(1);
        expect(linesMissingIn(text, set)).toHaveLength(node.image ? 1 : 0);
        expect((drawing(set).nodes.find((one) => one.id === node.id) as ServiceNode).image).toBe("example.org/new:1.2");
      }
    });

    it("keeps its line ends", () => {
      const set = run(text, { do: "add", kind: "service", name: "extra", value: { image: "redis", ports: ["6379:6379"], environment: { A: "1\n2" } }, at: [1, 2] });
      if (variant.includes("CRLF")) expect(set.replaceAll("\r\n", "")).not.toMatch(/[\r\n]/);
      else expect(set).not.toContain("\r");
      expect(set.startsWith("\ufeff")).toBe(text.startsWith("\ufeff"));
      expect(graph(run(set, { do: "remove", nodes: ["service:extra"], edges: [] }))).toEqual(graph(text));
    });
  });
}
