import { beforeEach, describe, expect, it, vi } from "vitest";

import { synthetic } from "../../bench/synthetic";
import { aligned, distributed, dropped, landing, place, within } from "../../src/canvas/actions";
import { targetsOf } from "../../src/canvas/connect";
import { alignTo } from "../../src/canvas/guides";
import { follow } from "../../src/canvas/places";
import { sceneBuilder, type SceneInput } from "../../src/canvas/scene";
import { share } from "../../src/canvas/share";
import { NOWHERE, seenAt, useCanvas } from "../../src/canvas/state";
import { approach, levelAt, planOf, standsFor, wanted, type Detail } from "../../src/canvas/units";
import { fullness, mebibytes, usageOf } from "../../src/canvas/usage";
import { firstViewport, seen, viewportFor } from "../../src/canvas/viewport";
import { nodeWords } from "../../src/canvas/words";
import { mayConnect } from "../../src/document/connections";
import type { Command, Drawing, NodeId, Problem } from "../../src/document/types";
import { snap } from "../../src/layout/geometry";
import { layoutNow } from "../../src/layout/layout";
import { useDocument } from "../../src/store/document";
import { useView } from "../../src/store/view";

const LAYERS = { depends_on: true, network: true, volume: true, config: true, secret: true, link: true, ports: true };
const EVERYTHING = { x: -1e6, y: -1e6, w: 3e6, h: 3e6 };

function input(drawing: Drawing, detail?: Detail, more: Partial<SceneInput> = {}): SceneInput {
  const geometry = layoutNow(drawing);
  const plan = planOf(geometry);
  return {
    drawing, byId: new Map(drawing.nodes.map((node) => [node.id, node])), geometry, plan,
    detail: detail ?? wanted(plan, 2, EVERYTHING), layers: LAYERS, selection: new Set(), selectedEdges: new Set(),
    overrides: new Map(), problems: {}, usage: usageOf(drawing), readOnly: false, words: 0, ...more,
  };
}

describe("levels of detail", () => {
  it("changes at 40 and 13 per cent, a little later on the way back", () => {
    expect([0.05, 0.2, 0.5].map((zoom) => levelAt(zoom))).toEqual([0, 1, 2]);
    expect(levelAt(0.39, 2)).toBe(2);
    expect(levelAt(0.36, 2)).toBe(1);
    expect(levelAt(0.125, 1)).toBe(1);
    expect(levelAt(0.1, 1)).toBe(0);
  });

  it("keeps the cards of a small drawing down to 15 per cent", () => {
    expect([0.2, 0.16].map((zoom) => levelAt(zoom, null, 60))).toEqual([2, 2]);
    expect([0.1, 0.05].map((zoom) => levelAt(zoom, null, 60))).toEqual([1, 0]);
    expect(levelAt(0.2, null, 61)).toBe(1);
  });

  it("puts only what is near the window on the page, and all of a small drawing", () => {
    const plan = planOf(layoutNow(synthetic(2_000)));
    const near = wanted(plan, 2, { x: 0, y: 0, w: 1_440, h: 900 });
    const cards = [...near.open].reduce((sum, id) => sum + plan.units.get(id)!.leaves.length, 0);
    expect(cards).toBeGreaterThan(0);
    expect(cards).toBeLessThan(120);
    const small = planOf(layoutNow(synthetic(40)));
    expect(wanted(small, 2, { x: 9e5, y: 9e5, w: 1, h: 1 }).open.size).toBe(small.units.size);
  });

  it("gathers services that stand in the open in tiles, none of which is lost", () => {
    const drawing = synthetic(1_000, false);
    const plan = planOf(layoutNow(drawing));
    const gathered = [...plan.units.values()].flatMap((unit) => unit.leaves);
    expect(new Set(gathered).size).toBe(1_000);
    expect(plan.units.size).toBeLessThan(200);
    const far = wanted(plan, 0, EVERYTHING);
    expect(sceneBuilder()(input(drawing, far)).nodes.length).toBe(plan.units.size);
  });

  it("comes nearer to what is wanted by a bounded step a frame, and arrives", () => {
    const plan = planOf(layoutNow(synthetic(500)));
    const want = wanted(plan, 2, EVERYTHING);
    let now: Detail = { level: 0, near: new Set(), open: new Set() };
    let steps = 0;
    for (let next = approach(now, want, plan, EVERYTHING, 30); next; next = approach(now, want, plan, EVERYTHING, 30)) {
      const opened = [...next.open].filter((id) => !now.open.has(id)).reduce((sum, id) => sum + plan.units.get(id)!.leaves.length, 0);
      expect(opened).toBeLessThanOrEqual(45);
      now = next;
      expect(++steps).toBeLessThan(200);
    }
    expect(now.open).toEqual(want.open);
    expect(steps).toBeGreaterThan(5);
  });
});

describe("the scene", () => {
  it("draws each edge once: as a line between cards or in a bundle between what stands for them", () => {
    const drawing = synthetic(100);
    const plan = planOf(layoutNow(drawing));
    for (const level of [0, 1, 2] as const) {
      const detail = wanted(plan, level, EVERYTHING);
      const scene = sceneBuilder()(input(drawing, detail, { layers: { ...LAYERS, ports: false } }));
      // In the middle distance every card is seen, so that no edge is an inner one.
      const inner = level === 1 ? [] : drawing.edges.filter((edge) => standsFor(plan, detail, edge.source) === standsFor(plan, detail, edge.target));
      const bundled = scene.bundles.reduce((sum, bundle) => sum + bundle.count, 0);
      expect([level, scene.edges.length + bundled + inner.length]).toEqual([level, drawing.edges.length]);
    }
  });

  it("leads edges of the middle distance to the cards themselves, and from the outside", () => {
    const drawing = synthetic(100);
    const detail = wanted(planOf(layoutNow(drawing)), 1, EVERYTHING);
    const scene = sceneBuilder()(input(drawing, detail));
    const ends = scene.bundles.flatMap((bundle) => [bundle.from, bundle.to]);
    expect(ends.every((id) => id.startsWith("service:") || id === "outside:")).toBe(true);
    const published = new Set(drawing.published.map((one) => one.service));
    expect(scene.bundles.filter((bundle) => bundle.begins).map((bundle) => bundle.to)).toEqual([...published]);
    expect(scene.nodes.some((node) => node.type === "outside")).toBe(true);
  });

  it("gives React Flow the same objects for what has not changed", () => {
    const build = sceneBuilder();
    const first = input(synthetic(50));
    const before = build(first);
    const after = build({ ...first, selection: new Set<NodeId>(["service:n3"]) });
    const changed = after.nodes.filter((node, index) => node !== before.nodes[index]);
    expect(changed.map((node) => node.id)).toEqual(["service:n3"]);
    expect(after.edges).toEqual(before.edges);
    expect(after.edges.every((edge, index) => edge === before.edges[index])).toBe(true);
  });

  it("puts parents before their children, as React Flow demands", () => {
    const scene = sceneBuilder()(input(synthetic(100)));
    const seenIds = new Set<string>();
    for (const node of scene.nodes) {
      if (node.parentId) expect(seenIds.has(node.parentId)).toBe(true);
      seenIds.add(node.id);
    }
  });

  it("hides volumes with their layer", () => {
    const drawing = synthetic(5, false);
    const volume = {
      ...drawing.nodes[0]!, kind: "volume", id: "volume:data", name: "data", capacity: "", external: false,
    } as unknown as Drawing["nodes"][number];
    const edge = { ...drawing.edges[0]!, id: "volume:n0>data", kind: "volume" as const, target: "volume:data" as NodeId, label: "/data" };
    const more = { ...drawing, nodes: [...drawing.nodes, volume], edges: [...drawing.edges, edge] };
    expect(sceneBuilder()(input(more)).nodes.some((node) => node.id === "volume:data")).toBe(true);
    const hidden = sceneBuilder()(input(more, undefined, { layers: { ...LAYERS, volume: false } }));
    expect(hidden.nodes.some((node) => node.id === "volume:data")).toBe(false);
    expect(hidden.edges.some((line) => line.id === edge.id)).toBe(false);
  });

  it("names nodes for screen readers with their problems", () => {
    const node = synthetic(1).nodes.find((one) => one.kind === "service")!;
    expect(nodeWords(node, [{}, {}] as Problem[])).toMatch(/^Service n0, image .+, 2 problems$/);
  });
});

describe("what a typed letter renders", () => {
  it("keeps the objects of nodes that only moved in the text", () => {
    const before = synthetic(10);
    const after: Drawing = structuredClone(before);
    after.nodes.forEach((node) => (node.span = { from: 7, to: 9 }));
    const changed = after.nodes.find((node) => node.id === "service:n4")!;
    if (changed.kind === "service") changed.image = "other";
    const shared = share(before, after);
    expect(shared.nodes.filter((node, index) => node !== before.nodes[index]).map((node) => node.id)).toEqual(["service:n4"]);
    expect(shared.edges).toBe(shared.edges.length === before.edges.length ? shared.edges : before.edges);
    expect(shared.edges.every((edge, index) => edge === before.edges[index])).toBe(true);
  });
});

describe("lining up", () => {
  const rects = [{ x: 0, y: 0, w: 100, h: 50 }, { x: 30, y: 90, w: 60, h: 50 }, { x: 300, y: 200, w: 100, h: 20 }];

  it("aligns on each edge and leaves the other axis alone", () => {
    expect(aligned(rects, "left").map((rect) => rect.x)).toEqual([0, 0, 0]);
    expect(aligned(rects, "right").map((rect) => rect.x + rect.w)).toEqual([400, 400, 400]);
    expect(aligned(rects, "bottom").map((rect) => rect.y + rect.h)).toEqual([220, 220, 220]);
    expect(aligned(rects, "top").map((rect) => rect.x)).toEqual([0, 30, 300]);
  });

  it("distributes with equal gaps and leaves both ends where they are", () => {
    const [first, middle, last] = distributed(rects, "horizontal");
    expect([first!.x, last!.x]).toEqual([0, 300]);
    expect(Math.abs(middle!.x - first!.x - 100 - (last!.x - middle!.x - 60))).toBeLessThanOrEqual(12);
  });

  it("shows a guide where edges or middles meet, and none where nothing does", () => {
    const found = alignTo({ x: 3, y: 500, w: 100, h: 50 }, rects, 5);
    expect(found.dx).toBe(-3);
    expect(found.guides.map((guide) => guide.axis)).toEqual(["x"]);
    expect(alignTo({ x: 1_003, y: 900, w: 77, h: 50 }, rects, 5).guides).toEqual([]);
  });
});

describe("connecting", () => {
  it("offers exactly what the document would accept", () => {
    const drawing = synthetic(30);
    for (const source of ["service:n0", "service:n7", "service:n29"] as NodeId[]) {
      const offered = new Set(targetsOf(drawing, source).map((node) => node.id));
      for (const node of drawing.nodes)
        if (node.id !== source) expect([source, node.id, offered.has(node.id)]).toEqual([source, node.id, mayConnect(drawing, source, node.id).ok]);
    }
  });
});

describe("capacity", () => {
  it("reads sizes as Compose writes them", () => {
    expect([mebibytes("512M"), mebibytes("4GiB"), mebibytes("1.5gb"), mebibytes("2048k"), mebibytes("lots")]).toEqual([512, 4096, 1536, 2, null]);
  });

  it("adds up what the services of a machine ask for, by replicas", () => {
    const usage = usageOf(synthetic(5)).get("machine:m0")!;
    expect(usage.services).toBe(5);
    expect(usage.cpus).toBe(1 * 1 + 2 * 2 + 3 * 3 + 4 * 4 + 1 * 5);
    expect(fullness(usage)).toBeGreaterThan(1);
  });
});

describe("the window", () => {
  it("fits a drawing wholly and not above 100 %", () => {
    const rect = { x: -500, y: 100, w: 5_000, h: 900 };
    const size = { width: 1_440, height: 900 };
    const view = seen(viewportFor(rect, size), size);
    expect(view.x).toBeLessThan(rect.x);
    expect(view.x + view.w).toBeGreaterThan(rect.x + rect.w);
    expect(viewportFor({ x: 0, y: 0, w: 10, h: 10 }, size).zoom).toBe(1);
    expect(viewportFor({ x: 0, y: 0, w: 0, h: 0 }, size).zoom).toBe(1);
  });
});

describe("opening", () => {
  const size = { width: 900, height: 800 };

  it("begins at the left and the top where the whole would be too small to read", () => {
    const rect = { x: -200, y: 40, w: 3_000, h: 2_400 };
    const viewport = firstViewport(rect, size);
    const view = seen(viewport, size);
    expect(viewport.zoom).toBe(0.5);
    expect([view.x, view.y]).toEqual([rect.x - 32, rect.y - 32]);
  });

  it("centres what is only too wide, and shows what is small or far larger than the window whole", () => {
    const wide = { x: 0, y: 0, w: 2_400, h: 400 };
    const view = seen(firstViewport(wide, size), size);
    expect(view.y + view.h / 2).toBe(200);
    for (const rect of [{ x: 0, y: 0, w: 1_500, h: 900 }, { x: 0, y: 0, w: 20_000, h: 9_000 }])
      expect(firstViewport(rect, size)).toEqual(viewportFor(rect, size));
  });
});

describe("moving cards", () => {
  const commands: Command[] = [];

  beforeEach(() => {
    commands.length = 0;
    useCanvas.setState({ drawing: null, geometry: NOWHERE, overrides: new Map() });
    follow(synthetic(20));
  });

  function answer(ok: boolean): void {
    useDocument.setState({
      run: vi.fn((command: Command) => {
        commands.push(command);
        return Promise.resolve(
          ok ? { ok: true as const, edits: [], label: { key: "x" }, created: [] } : { ok: false as const, refused: { key: "document.read_only" } },
        );
      }),
    });
  }

  it("writes one command for several cards, relative to the group that each is dropped into", async () => {
    answer(true);
    const { geometry } = useCanvas.getState();
    const target = geometry.boxes.get("machine:m1")!;
    const rect = { x: target.ax + 30, y: target.ay + 80, w: 228, h: 108 };
    await place([{ id: "service:n0", rect }, { id: "service:n1", rect: { ...rect, y: rect.y + 120 } }], true);
    expect(commands.length).toBe(1);
    expect(commands[0]).toMatchObject({
      do: "place", moves: [{ id: "service:n0", parent: "machine:m1", at: [36, 84] }, { id: "service:n1", parent: "machine:m1" }],
    });
  });

  it("says nothing of the parent when a card stays in its group", async () => {
    answer(true);
    const rect = seenAt("service:n0")!;
    await place([{ id: "service:n0", rect: { ...rect, x: rect.x + 12 } }], true);
    expect(commands[0]).toMatchObject({ moves: [{ id: "service:n0" }] });
    expect((commands[0] as { moves: object[] }).moves[0]).not.toHaveProperty("parent");
  });

  it("snaps back and says why when the text refuses", async () => {
    answer(false);
    const rect = seenAt("service:n0")!;
    const before = rect.x;
    useCanvas.setState({ overrides: new Map([["service:n0", { x: 999, y: 999 }]]) });
    await place([{ id: "service:n0", rect: { ...rect, x: 999 } }], false);
    expect(seenAt("service:n0")!.x).toBe(before);
    expect(useView.getState().said).toMatchObject({ tone: "refused", message: { key: "document.read_only" } });
  });

  it("puts a card into the machine under the pointer, though its middle is over another one", async () => {
    answer(true);
    const { boxes } = useCanvas.getState().geometry;
    const [from, to] = [boxes.get("machine:m1")!, boxes.get("machine:m2")!];
    const rect = { x: from.ax + 30, y: from.ay + 80, w: 228, h: 108 };
    const at = [to.ax + 20, to.ay + 90] as const;
    expect(dropped("service", rect, null, new Set())).toBe("machine:m1");
    await place([{ id: "service:n0", rect }], true, { id: "service:n0", at });
    expect(commands[0]).toMatchObject({ moves: [{ id: "service:n0", parent: "machine:m2" }] });
    expect(landing("service", at)).toMatchObject({ parent: "machine:m2" });
    // Held over the bare region, the middle decides.
    const region = boxes.get("region:r0")!;
    expect(dropped("service", rect, [region.ax + 4, region.ay + 4], new Set())).toBe("machine:m1");
  });

  it("leaves a card where it was dropped beside the only region, which grows to hold it", async () => {
    answer(true);
    const drawing = synthetic(20);
    const region = useCanvas.getState().geometry.boxes.get("region:r0")!;
    const points = [[region.ax + 120, region.ay + region.h + 600], [region.ax + region.w + 480, region.ay + 96], [region.ax - 480, region.ay - 360]] as const;
    for (const [x, y] of points) {
      const { parent, at } = landing("service", [x, y]);
      expect(parent).toBe("region:r0");
      await place([{ id: "service:n0", rect: { x, y, w: 228, h: 108 } }], true);
      expect(commands.at(-1)).toMatchObject({ moves: [{ id: "service:n0", parent: "region:r0", at }] });
      const moved = drawing.nodes.map((node) => (node.id === "service:n0" ? { ...node, parent, at } : node));
      const box = layoutNow({ ...drawing, nodes: moved }, useCanvas.getState().geometry.memory).boxes;
      expect([box.get("service:n0")!.ax, box.get("service:n0")!.ay]).toEqual([x, y].map(snap));
      const grown = box.get("region:r0")!;
      if (x > region.ax) expect(grown.ay + grown.h >= y + 108 && grown.ax + grown.w >= x + 228).toBe(true);
    }
  });

  it("moves a card that lies beside its region by the keys without a jump", async () => {
    answer(true);
    const region = useCanvas.getState().geometry.boxes.get("region:r0")!;
    const drawing = synthetic(20);
    follow({ ...drawing, nodes: drawing.nodes.map((node) => (node.id === "service:n0" ? { ...node, parent: "region:r0" as NodeId, at: [-600, -300] as const } : node)) });
    const rect = seenAt("service:n0")!;
    expect([rect.x, rect.y]).toEqual([region.ax - 600, region.ay - 300]);
    await place([{ id: "service:n0", rect: { ...rect, x: rect.x + 12 } }], false);
    expect(commands.at(-1)).toMatchObject({ moves: [{ at: [-588, -300] }] });
  });

  it("never puts a card over the head of its group", () => {
    const box = useCanvas.getState().geometry.boxes.get("machine:m0")!;
    expect(within("machine:m0", [box.ax - 50, box.ay - 50])).toEqual([24, 60]);
  });
});
