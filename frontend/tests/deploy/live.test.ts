// @vitest-environment jsdom
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";

import type { Boot } from "../../src/app/boot";
import { startLive, useLive, watch } from "../../src/deploy/live";
import type { Drawing } from "../../src/document/types";
import { useDocument } from "../../src/store/document";
import { usePaint } from "../../src/store/paint";

vi.mock("../../src/workers/client", () => ({ ask: () => new Promise(() => undefined) }));
vi.mock("../../src/deploy/actions", () => ({ registerDeployActions: () => () => undefined }));

class FakeSource extends EventTarget {
  static all: FakeSource[] = [];
  static CLOSED = 2;
  readyState = 1;
  constructor(readonly url: string) {
    super();
    FakeSource.all.push(this);
  }
  close() {
    this.readyState = 2;
  }
  send(type: string, seq: number, data: object, step_key = "clone") {
    this.dispatchEvent(new MessageEvent(type, { data: JSON.stringify({ seq, at: "2026-01-31T00:00:00Z", type, step_key, data }) }));
  }
  fail(closed: boolean) {
    this.readyState = closed ? 2 : 0;
    this.dispatchEvent(new Event("error"));
  }
}

let operation: { state: string; last_seq: number } | null;
let asked: string[] = [];
let stop: () => void;
const later = (ms: number) => vi.advanceTimersByTimeAsync(ms);
const boot = { mode: "draft", deployment: null, may: { write: true, deploy: true } } as unknown as Boot;

beforeEach(() => {
  vi.useFakeTimers();
  FakeSource.all = [];
  asked = [];
  operation = { state: "running", last_seq: 7 };
  vi.stubGlobal("EventSource", FakeSource);
  usePaint.getState().set({ live: {} });
  useDocument.setState({ drawing: { nodes: [{ id: "service:web", kind: "service", path: ["services", "web"] }] } as unknown as Drawing });
  vi.stubGlobal("fetch", (request: Request) => {
    const path = new URL(request.url).pathname.replace("/api/v1", "");
    asked.push(path);
    const machine = { key: "machine:host-1", name: "host-1", state: operation ? "missing" : "running", addresses: [] };
    const answers: Record<string, unknown> = {
      "/deployments/d/canvas/": {
        deployment: { id: "d", name: "shop", state: "deploying", version: 1, blueprint: { id: "b", name: "shop" }, region: "", cloud: { id: "c", name: "paris", ok: true } },
        services: { web: { state: machine.state, machines: [machine], ports: [] } }, machines: [machine],
        operation: operation ? { id: "o", kind: "deploy", percent: 0, error: null, ...operation } : null,
      },
      "/operations/o/": { id: "o", error: null, percent: 0, can: {}, ...operation },
      "/operations/o/steps/": { results: [{ key: "clone", resource: "machine:host-1", services: ["web"], state: "running", title: "Clone", message: "", progress: 10, error: null, undoes: null }], next: null },
      "/deployments/": { results: [], next: null },
    };
    return Promise.resolve(new Response(JSON.stringify(answers[path] ?? { code: "not_found" }), { status: path in answers ? 200 : 404 }));
  });
  stop = startLive(boot);
});
afterEach(() => {
  stop();
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

describe("watching a deployment", () => {
  it("follows the events after what was read, and paints the card", async () => {
    await watch("d");
    await later(200);
    expect(FakeSource.all.map(({ url }) => url)).toEqual(["/api/v1/operations/o/events/?after=7"]);
    expect(usePaint.getState().live["service:web"]).toMatchObject({ state: "working", percent: 10 });
    FakeSource.all[0]?.send("step.progress", 8, { progress: 55, message: "Copying" });
    await later(200);
    expect(usePaint.getState().live["service:web"]).toEqual({ state: "working", message: "Copying", percent: 55 });
  });

  it("never touches the drawing", async () => {
    await watch("d");
    const { drawing } = useDocument.getState();
    for (let seq = 8; seq < 60; seq++) FakeSource.all[0]?.send("step.progress", seq, { progress: seq });
    await later(500);
    expect(useDocument.getState().drawing).toBe(drawing);
  });

  it("paints a burst of events once", async () => {
    await watch("d");
    await later(200);
    let painted = 0;
    const off = usePaint.subscribe(() => void painted++);
    for (let seq = 8; seq < 100; seq++) FakeSource.all[0]?.send("step.progress", seq, { progress: seq });
    await later(150);
    off();
    expect(painted).toBe(1);
  });

  it("reads everything again after the end, and follows no more", async () => {
    await watch("d");
    operation = null;
    FakeSource.all[0]?.send("operation.state", 9, { state: "succeeded" });
    await later(1_000);
    expect(FakeSource.all).toHaveLength(1);
    expect(FakeSource.all[0]?.readyState).toBe(2);
    expect(usePaint.getState().live["service:web"]?.state).toBe("running");
  });

  it("leaves a cut stream to the browser, and takes up one that was closed for good", async () => {
    await watch("d");
    FakeSource.all[0]?.fail(false);
    expect(useLive.getState().lost.d).toBe(true);
    await later(10_000);
    expect(FakeSource.all).toHaveLength(1);
    FakeSource.all[0]?.fail(true);
    await later(4_000);
    expect(FakeSource.all).toHaveLength(2);
    expect(FakeSource.all[1]?.url).toContain("after=7");
  });

  it("reads the steps again when an event is of one that it does not know", async () => {
    await watch("d");
    const before = asked.filter((path) => path.endsWith("/steps/")).length;
    FakeSource.all[0]?.send("step.state", 8, { state: "running" }, "undo clone");
    await later(1_000);
    expect(asked.filter((path) => path.endsWith("/steps/"))).toHaveLength(before + 1);
    expect(FakeSource.all).toHaveLength(1);
  });

  it("stops with the page", async () => {
    await watch("d");
    stop();
    expect(FakeSource.all[0]?.readyState).toBe(2);
    expect(useLive.getState().watched).toEqual({});
  });
});
