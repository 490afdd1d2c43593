// @vitest-environment jsdom
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";

import type { Boot } from "../../src/app/boot";
import { usePreviews } from "../../src/deploy/previews";
import { useTargets } from "../../src/deploy/targets";
import type { Drawing } from "../../src/document/types";
import { useDocument } from "../../src/store/document";
import { startFindings, useFindings } from "../../src/store/findings";
import { useSync } from "../../src/store/sync";
import { usePaint } from "../../src/store/paint";

const drawn = (text: string): Drawing => ({
  name: "", edges: [], published: [], lines: 1, problems: [],
  nodes: text.includes("web") ? [{ id: "service:web", kind: "service", name: "web", path: ["services", "web"], span: { from: 0, to: 3 }, parent: null } as never] : [],
});
vi.mock("../../src/workers/client", () => ({
  ask: ({ text }: { text: string }) =>
    Promise.resolve(
      text.includes("[") ? { ok: false, problems: [{ severity: "error", code: "syntax", text: "broken", path: [], source: "syntax" }] } : { ok: true, drawing: drawn(text) },
    ),
}));

const boot = {
  mode: "draft", project: { id: "p", name: "shop" }, blueprint: null, deployment: null, may: { write: true, deploy: true },
} as unknown as Boot;

let asked: { url: string; body: { compose?: string; cloud?: string } ; signal: AbortSignal }[] = [];
let answers: Record<string, (body: { compose?: string }) => Promise<unknown>> = {};
let stop = () => {};
const later = (ms: number) => vi.advanceTimersByTimeAsync(ms);
const finding = (message: string) => ({ code: "x", severity: "error", message, path: ["services", "web"], line: null, column: null, hint: "" });
const preview = (more: object = {}) => ({
  valid: true, findings: [], machines: [], ledger: [{ path: ["services", "web"], verdict: "dropped", reason: "r", code: "ledger.y", line: 1 }], ...more,
});

beforeEach(() => {
  vi.useFakeTimers();
  asked = [];
  useTargets.setState({ clouds: null, deployments: [], chosen: {}, error: null });
  usePreviews.setState({ byRegion: {}, loading: false });
  usePaint.getState().set({ problems: {}, loose: [], packed: {} });
  answers = {
    "/blueprints/validate/": () => Promise.resolve({ valid: true, findings: [] }),
    "/clouds/": () => Promise.resolve({ results: [], next: null }),
  };
  vi.stubGlobal("fetch", async (request: Request) => {
    const path = new URL(request.url).pathname.replace("/api/v1", "");
    const body = (request.method === "GET" ? {} : await request.clone().json()) as { compose?: string };
    asked.push({ url: path, body, signal: request.signal });
    const answer = await answers[path]?.(body);
    return new Response(JSON.stringify(answer ?? {}), { status: answer ? 200 : 404 });
  });
});
afterEach(() => {
  stop();
  vi.useRealTimers();
  vi.unstubAllGlobals();
});
const begin = async (text: string) => {
  useDocument.getState().open(text, false);
  stop = startFindings(boot);
  await later(1);
};
const type = (text: string) => useDocument.getState().put(text, { key: "x" });
const checks = () => asked.filter(({ url }) => url === "/blueprints/validate/");

describe("live validation", () => {
  it("asks once the typing pauses, and shows what was found on the card", async () => {
    answers["/blueprints/validate/"] = () => Promise.resolve({ findings: [finding("no such image")] });
    await begin("web: 1");
    for (let key = 0; key < 5; key++) {
      type(`web: 1${key}`);
      await later(200);
    }
    expect(checks()).toHaveLength(0);
    await later(500);
    expect(checks().map(({ body }) => body.compose)).toEqual(["web: 14"]);
    expect(usePaint.getState().problems["service:web"]).toMatchObject([{ text: "no such image" }]);
  });

  it("asks again about the same text once a file has arrived beside it, and not while it is only known which there are", async () => {
    useSync.setState({ files: null, state: "saved" });
    await begin("web: 1");
    await later(2_000);
    useSync.setState({ files: ["a.txt"] });
    await later(2_000);
    expect(checks()).toHaveLength(1);
    useSync.setState({ files: ["a.txt", "b.txt"], state: "dirty" });
    await later(2_000);
    expect(checks()).toHaveLength(1);
    useSync.setState({ state: "saved" });
    await later(2_000);
    expect(checks()).toHaveLength(2);
  });

  it("lets the latest answer win, whatever the order in which they come", async () => {
    const waiting: ((value: unknown) => void)[] = [];
    answers["/blueprints/validate/"] = () => new Promise((resolve) => waiting.push(resolve));
    await begin("web: 1");
    await later(500);
    type("web: 2");
    await later(500);
    expect(asked.filter(({ url }) => url.includes("validate"))).toHaveLength(2);
    waiting[1]?.({ findings: [finding("newer")] });
    await later(1);
    waiting[0]?.({ findings: [finding("older")] });
    await later(1);
    expect(usePaint.getState().problems["service:web"]).toMatchObject([{ text: "newer" }]);
  });

  it("does not ask about a broken text, and shows where it is broken alone", async () => {
    answers["/blueprints/validate/"] = () => Promise.resolve({ findings: [finding("old")] });
    await begin("web: 1");
    await later(500);
    type("web: [");
    await later(1_000);
    expect(checks()).toHaveLength(1);
    expect(usePaint.getState()).toMatchObject({ problems: {}, loose: [{ code: "syntax" }] });
    type("web: 1");
    await later(1_000);
    expect(usePaint.getState().loose).toEqual([]);
    expect(usePaint.getState().problems["service:web"]).toMatchObject([{ text: "old" }]);
  });

  it("asks again about a text that was broken and mended while the answer was on its way", async () => {
    const waiting: ((value: unknown) => void)[] = [];
    answers["/blueprints/validate/"] = () => new Promise((resolve) => waiting.push(resolve));
    await begin("web: 1");
    await later(500);
    type("web: [");
    await later(500);
    expect(useFindings.getState().checking).toBe(false);
    type("web: 1");
    await later(500);
    expect(checks().map(({ body }) => body.compose)).toEqual(["web: 1", "web: 1"]);
    waiting[1]?.({ findings: [finding("found")] });
    await later(1);
    expect(useFindings.getState().checking).toBe(false);
    expect(usePaint.getState().problems["service:web"]).toMatchObject([{ text: "found" }]);
  });

  it("does not send what no server would take", async () => {
    await begin(`web: ${"é".repeat(600_000)}`);
    await later(1_000);
    expect(checks()).toHaveLength(0);
    expect(usePaint.getState().loose).toMatchObject([{ code: "draft.too_large" }]);
  });

  it("says so when the portal is away, and asks again at the next edit", async () => {
    answers["/blueprints/validate/"] = () => Promise.reject(new TypeError("away"));
    await begin("web: 1");
    await later(500);
    expect(useFindings.getState().unavailable).toBe(true);
    answers["/blueprints/validate/"] = () => Promise.resolve({ findings: [] });
    type("web: 2");
    await later(500);
    expect(useFindings.getState()).toEqual({ checking: false, unavailable: false });
  });
});

describe("live previews", () => {
  it("ask nothing while no cloud is chosen", async () => {
    await begin("web: 1");
    await later(500);
    expect(asked.some(({ url }) => url.includes("preview"))).toBe(false);
  });

  it("put the target's ledger beside the findings, and tell where services are packed", async () => {
    answers["/clouds/"] = () => Promise.resolve({ results: [{ name: "paris", enabled: true }], next: null });
    answers["/plans/preview/"] = () => Promise.resolve(preview({ machines: [{ name: "shop-host-1", workloads: [{ service: "web" }, { service: "web" }] }] }));
    await begin("web: 1");
    await later(1_000);
    expect(asked.find(({ url }) => url.includes("preview"))?.body).toMatchObject({ cloud: "paris", project: "p" });
    expect(usePaint.getState().problems["service:web"]).toMatchObject([{ source: "ledger", severity: "warning" }]);
    expect(usePaint.getState().packed).toEqual({ "service:web": ["shop-host-1"] });
    expect(usePreviews.getState().byRegion[""]?.preview?.valid).toBe(true);
  });

  it("that fail do not take the findings along", async () => {
    answers["/clouds/"] = () => Promise.resolve({ results: [{ name: "paris", enabled: true }], next: null });
    answers["/blueprints/validate/"] = () => Promise.resolve({ findings: [finding("found")] });
    await begin("web: 1");
    await later(1_000);
    expect(usePaint.getState().problems["service:web"]).toMatchObject([{ text: "found" }]);
    expect(usePreviews.getState().byRegion[""]).toMatchObject({ preview: null, error: { status: 404 } });
  });
});
