// @vitest-environment jsdom
import { cleanup, render, screen, within } from "@testing-library/react";
import { afterEach, expect, test, vi } from "vitest";

import type { Boot } from "../../src/app/boot";
import { useTargets } from "../../src/deploy/targets";
import { useDocument } from "../../src/store/document";
import { useSync } from "../../src/store/sync";
import { VersionsPanel } from "../../src/versions/VersionsPanel";

afterEach(() => {
  cleanup();
  vi.unstubAllGlobals();
});

test("each version says whether the draft comes from it, whether the canvas shows it, and what runs it", async () => {
  const version = (number: number) => ({
    id: `v${number}`, number, message: "", compose: `services: {a: {image: "x:${number}"}}\n`, created_at: "2026-01-01T00:00:00Z", created_by: "ada",
  });
  vi.stubGlobal("fetch", async () => new Response(JSON.stringify({ results: [version(3), version(2), version(1)], next: null })));
  const runs = { region: "", state: "active", version: 1, cloud: { name: "paris" } };
  useTargets.setState({
    deployments: [{ ...runs, id: "d1", name: "shop-live" }, { ...runs, id: "d2", name: "shop-old", state: "destroyed" }] as never,
  });
  useDocument.getState().open(version(3).compose, false);
  useSync.setState({ blueprint: { id: "b1", name: "shop" }, baseVersion: 2 });
  render(<VersionsPanel boot={{ urls: { designs: "/designs/" } } as Boot} />);
  const rows = within((await screen.findByRole("link", { name: "Version 1" })).closest("ol")!).getAllByRole("listitem");
  expect(rows.map((row) => [...row.querySelectorAll(".tag")].map((tag) => tag.textContent))).toEqual([
    ["same as the canvas"], ["base of your draft"], ["runs as shop-live"],
  ]);
});
