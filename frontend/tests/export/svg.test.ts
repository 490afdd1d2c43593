// @vitest-environment jsdom
import { describe, expect, it } from "vitest";

import { synthetic } from "../../bench/synthetic";
import type { Drawing } from "../../src/document/types";
import { fileName, pngScale } from "../../src/export/downloads";
import { escape, sizeOf, toSvg } from "../../src/export/svg";
import { layoutNow } from "../../src/layout/layout";

const drawing = synthetic(60);
const geometry = layoutNow(drawing);

function parse(svg: string): Document {
  return new DOMParser().parseFromString(svg, "image/svg+xml");
}

describe("the drawing as SVG", () => {
  it("is well-formed and has every card, also those that the window culls", () => {
    const parsed = parse(toSvg(drawing, geometry, { title: "Shop" }));
    expect(parsed.querySelector("parsererror")).toBeNull();
    const words = [...parsed.querySelectorAll("text")].map((one) => one.textContent);
    for (const node of drawing.nodes.filter((one) => one.kind === "service")) expect(words).toContain(node.name);
    expect(words).toContain("Shop");
    expect(parsed.querySelectorAll("path[marker-end]").length).toBeGreaterThanOrEqual(drawing.edges.length);
  });

  it("takes hostile names as words, never as markup", () => {
    const evil = `<script>alert(1)</script>"'&\u0000`;
    const first = drawing.nodes.find((node) => node.kind === "service")!;
    const hostile: Drawing = { ...drawing, nodes: drawing.nodes.map((node) => (node.id === first.id ? { ...node, name: evil } : node)) };
    const svg = toSvg(hostile, geometry, { title: evil });
    expect(svg).not.toContain("<script");
    const parsed = parse(svg);
    expect(parsed.querySelector("parsererror")).toBeNull();
    expect(parsed.querySelector("script")).toBeNull();
    expect(parsed.querySelector("title")?.textContent).toContain("<script>alert(1)</script>");
  });

  it("keeps pairs of emoji and replaces lone halves, which XML forbids", () => {
    expect(escape("a🐳b")).toBe("a🐳b");
    expect(escape("a\ud83dz")).toBe("a�z");
    expect(parse(`<svg xmlns="http://www.w3.org/2000/svg">${escape("\u000b<é>")}</svg>`).querySelector("parsererror")).toBeNull();
  });

  it("leaves out what belongs to hidden layers, and joins what is in a collapsed group to the group", () => {
    const folded = {
      ...drawing, nodes: drawing.nodes.map((node) => (node.id === "machine:m0" ? { ...node, collapsed: true } : node)) as Drawing["nodes"],
    };
    const parsed = parse(toSvg(folded, layoutNow(folded), {}));
    expect([...parsed.querySelectorAll("text")].map((one) => one.textContent)).not.toContain("n0");
    const hidden = { depends_on: false, network: false, volume: false, config: false, secret: false, link: false, ports: false };
    expect(parse(toSvg(drawing, geometry, { layers: hidden })).querySelectorAll("path[marker-end]").length).toBe(0);
  });

  it("is as large as the drawing, and a picture of it stays within what browsers can paint", () => {
    const { width, height } = sizeOf(toSvg(drawing, geometry));
    expect(width).toBeGreaterThan(geometry.bounds.w);
    expect(pngScale(800, 600)).toBe(2);
    expect(Math.max(30_000, 20_000) * pngScale(30_000, 20_000)).toBeLessThanOrEqual(8_192);
    expect(height).toBeGreaterThan(geometry.bounds.h);
  });

  it("draws an empty drawing without numbers that are none", () => {
    const empty: Drawing = { name: "", nodes: [], edges: [], published: [], problems: [], lines: 0 };
    expect(toSvg(empty, layoutNow(empty))).not.toMatch(/NaN|Infinity/);
  });

  it("names files so that every file system takes them", () => {
    expect(fileName("Été / <shop>")).toBe("Ete-shop");
    expect(fileName("../../etc/passwd")).toBe("etc-passwd");
    expect(fileName("…")).toBe("compose");
  });
});
