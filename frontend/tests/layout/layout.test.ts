import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

import Elk from "elkjs/lib/elk.bundled.js";
import { describe, expect, it } from "vitest";

import type { Drawing, NodeId, Point } from "../../src/document/types";
import { solveLevel } from "../../src/layout/elk";
import { groupAt, overlaps, structureKey, type Geometry } from "../../src/layout/geometry";
import { layoutNow, layoutWell } from "../../src/layout/layout";
import { synthetic } from "../../bench/synthetic";

const CORPUS = new URL("../../../tests/corpus/awesome-compose", import.meta.url).pathname;

async function corpus(): Promise<[string, Drawing][]> {
  const { derive } = await import("../../src/document");
  return readdirSync(CORPUS).flatMap((name) => {
    const file = ["compose.yaml", "compose.yml", "docker-compose.yml", "docker-compose.yaml"]
      .map((one) => join(CORPUS, name, one)).find((one) => existsSync(one));
    if (!file) return [];
    const derived = derive(readFileSync(file, "utf8"));
    if (!derived.ok) throw new Error(`${name} is not drawn`);
    return [[name, derived.drawing] as [string, Drawing]];
  });
}

function clashes(geometry: Geometry): string[] {
  const found: string[] = [];
  for (const siblings of geometry.children.values())
    siblings.forEach((one, index) => {
      for (const other of siblings.slice(index + 1)) {
        const a = geometry.boxes.get(one);
        const b = geometry.boxes.get(other);
        if (a && b && overlaps(a, b)) found.push(`${one} and ${other}`);
      }
    });
  return found;
}

function outside(geometry: Geometry): NodeId[] {
  const found: NodeId[] = [];
  for (const [parent, members] of geometry.children) {
    const around = parent === null ? null : geometry.boxes.get(parent);
    if (!around) continue;
    for (const id of members) {
      const box = geometry.boxes.get(id);
      if (box && (box.x < 0 || box.y < 0 || box.x + box.w > around.w || box.y + box.h > around.h)) found.push(id);
    }
  }
  return found;
}

function pin(drawing: Drawing, id: NodeId, at: Point | null): Drawing {
  return { ...drawing, nodes: drawing.nodes.map((node) => (node.id === id ? { ...node, at } : node)) };
}

const bundled = new Elk();
const byElk = (drawing: Drawing) =>
  layoutWell(drawing, new Map(), (level) => solveLevel(level, (graph) => bundled.layout(graph)));

describe("the layout of the shared files", () => {
  it("puts no two siblings over each other, at once and by ELK", async () => {
    const files = await corpus();
    expect(files.length).toBe(20);
    for (const [name, drawing] of files) {
      expect([name, clashes(layoutNow(drawing))]).toEqual([name, []]);
      const good = await byElk(drawing);
      expect([name, clashes(good)]).toEqual([name, []]);
      expect(good.boxes.size).toBe(drawing.nodes.length);
    }
  });

  it("leaves what was placed by hand where it is, and puts nothing over it", async () => {
    for (const [name, drawing] of await corpus()) {
      const first = drawing.nodes.find((node) => node.kind === "service")!;
      const held = pin(drawing, first.id, [60, 24]);
      for (const geometry of [layoutNow(held), await byElk(held)]) {
        expect(geometry.boxes.get(first.id)).toMatchObject({ x: 60, y: 24 });
        expect([name, clashes(geometry)]).toEqual([name, []]);
      }
    }
  });

  it("draws what a service depends on to its right", async () => {
    for (const [name, drawing] of await corpus()) {
      const good = await byElk(drawing);
      for (const edge of drawing.edges.filter((one) => one.kind === "depends_on")) {
        const from = good.boxes.get(edge.source)!;
        const to = good.boxes.get(edge.target)!;
        expect([name, edge.id, from.x < to.x]).toEqual([name, edge.id, true]);
      }
    }
  });
});

describe("the layout of large drawings", () => {
  it.each([500, 2_000])("puts %i services into their groups without overlap", (count) => {
    const geometry = layoutNow(synthetic(count));
    expect(clashes(geometry)).toEqual([]);
    expect(outside(geometry)).toEqual([]);
    expect(geometry.boxes.size).toBe(count + count / 5 + count / 50);
  });

  it("wraps a long chain, so that it stays about as wide as a screen", () => {
    const { bounds } = layoutNow(synthetic(400, false));
    expect(bounds.w / bounds.h).toBeLessThan(4);
    expect(bounds.h / bounds.w).toBeLessThan(4);
  });

  it("survives cycles and edges to nowhere", () => {
    const drawing = synthetic(10, false);
    const edge = drawing.edges[0]!;
    const turned = { ...edge, id: "x", source: edge.target, target: edge.source };
    const lost = { ...edge, id: "y", target: "service:nobody" as NodeId };
    expect(clashes(layoutNow({ ...drawing, edges: [...drawing.edges, turned, lost] }))).toEqual([]);
  });
});

describe("editing", () => {
  const before = synthetic(20);

  it("moves nothing when a service is added, and puts it into its machine beside its neighbours", () => {
    const shown = layoutNow(before);
    const like = before.nodes.find((node) => node.id === "service:n3")!;
    const added = { ...like, id: "service:new" as NodeId, name: "new" };
    const link = { ...before.edges[0]!, id: "depends_on:n3>new", source: "service:n3" as NodeId, target: added.id };
    const after = layoutNow({ ...before, nodes: [...before.nodes, added], edges: [...before.edges, link] }, shown.memory);
    for (const node of before.nodes.filter((one) => one.kind === "service"))
      expect(after.boxes.get(node.id)).toMatchObject({ x: shown.boxes.get(node.id)!.x, y: shown.boxes.get(node.id)!.y });
    expect(clashes(after)).toEqual([]);
    expect(outside(after)).toEqual([]);
  });

  it("keeps the place of a service that is renamed", () => {
    const shown = layoutNow(before);
    const renamed = {
      ...before,
      nodes: before.nodes.map((node) => (node.id === "service:n7" ? { ...node, id: "service:shop" as NodeId } : node)),
    };
    const { x, y } = shown.boxes.get("service:n7")!;
    expect(layoutNow(renamed, shown.memory).boxes.get("service:shop")).toMatchObject({ x, y });
  });

  it("brings a card back to where it was seen when its first move is undone", () => {
    const shown = layoutNow(before);
    const moved = layoutNow(pin(before, "service:n0", [48, 360]), shown.memory);
    const undone = layoutNow(before, moved.memory);
    expect(undone.boxes.get("service:n0")).toEqual(shown.boxes.get("service:n0"));
  });

  it("hides what is in a collapsed group and says which group stands for it", () => {
    const folded = {
      ...before,
      nodes: before.nodes.map((node) => (node.id === "machine:m0" ? { ...node, collapsed: true } : node)) as Drawing["nodes"],
    };
    const geometry = layoutNow(folded);
    expect(geometry.boxes.has("service:n0")).toBe(false);
    expect(geometry.hosts.get("service:n0")).toBe("machine:m0");
    expect(geometry.boxes.get("machine:m0")!.h).toBeLessThan(layoutNow(before).boxes.get("machine:m0")!.h);
  });

  it("keeps its key when only contents change", () => {
    const other = {
      ...before,
      nodes: before.nodes.map((node) => (node.kind === "service" ? { ...node, image: "other" } : node)),
    };
    expect(structureKey(other)).toBe(structureKey(before));
    expect(structureKey(pin(before, "service:n0", [1, 1]))).not.toBe(structureKey(before));
  });

  it("finds the innermost group under a point", () => {
    const geometry = layoutNow(before);
    const box = geometry.boxes.get("service:n0")!;
    const fits = () => true;
    expect(groupAt(geometry, box.ax + 5, box.ay + 5, fits)).toBe("machine:m0");
    expect(groupAt(geometry, box.ax + 5, box.ay + 5, (id) => id.startsWith("region:"))).toBe("region:r0");
    expect(groupAt(geometry, -9e6, 0, fits)).toBe(null);
  });
});

describe("a better solver that fails", () => {
  it("leaves the level to the fast one, but stops when told to", async () => {
    const drawing = synthetic(20);
    const geometry = await layoutWell(drawing, new Map(), () => Promise.reject(new Error("no")));
    expect(geometry.boxes).toEqual(layoutNow(drawing).boxes);
    const control = new AbortController();
    const stopped = layoutWell(drawing, new Map(), async () => {
      control.abort();
      return [];
    }, control.signal);
    await expect(stopped).rejects.toThrow();
  });
});
