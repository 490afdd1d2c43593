import { describe, expect, it } from "vitest";

import { type Canvas, driftedIn, type Drift, type Operation, paintOf, percentOf, settled, type Step, take, type Watched } from "../../src/deploy/reduce";
import type { Drawing } from "../../src/document/types";
import { NodeIndex } from "../../src/store/problems";

const machine = (key: string, state: string) => ({ key, name: key.slice(8), state, addresses: [] });
const step = (key: string, resource: string, services: string[], state: string, more: object = {}) =>
  ({ key, resource, services, state, title: `Do ${key}`, message: "", error: null, progress: null, undoes: null, ...more }) as unknown as Step;

const nodes = new NodeIndex({
  nodes: [
    { id: "service:web", path: ["services", "web"] }, { id: "service:db", path: ["services", "db"] },
    { id: "machine:front", kind: "machine", count: 1, path: ["x"] }, { id: "machine:pool", kind: "machine", count: 2, path: ["y"] },
  ],
} as unknown as Drawing);

function watched(steps: Step[], operation: string | null = "running", machines = [machine("machine:front", "missing"), machine("machine:pool-1", "running"), machine("machine:pool-2", "running")]): Watched {
  return {
    canvas: {
      deployment: { id: "d" }, machines, operation: null,
      services: {
        web: { state: "missing", ports: [], machines: [machines[0]] },
        db: { state: "running", ports: [], machines: machines.slice(1) },
      },
    } as unknown as Canvas,
    operation: operation === null ? null : ({ id: "o", state: operation, percent: 0 } as unknown as Operation),
    steps: new Map(steps.map((one) => [one.key, one])), logs: new Map(), seq: 10, drift: null,
  };
}
const clone = () => step("clone front", "machine:front", ["web"], "running", { progress: 40, message: "Copying" });
const start = () => step("start front", "machine:front", ["web"], "pending");

describe("an event", () => {
  it("moves its step, and is taken once", () => {
    const before = watched([clone(), start()]);
    const { watched: after } = take(before, { seq: 11, at: "", type: "step.progress", step_key: "clone front", data: { progress: 80, message: "Nearly" } });
    expect(after.steps.get("clone front")).toMatchObject({ progress: 80, message: "Nearly" });
    expect(before.steps.get("clone front")?.progress).toBe(40);
    expect(take(after, { seq: 11, at: "", type: "step.progress", step_key: "clone front", data: { progress: 1 } }).watched).toBe(after);
  });

  it("of a step that nobody knows asks for the steps again", () => {
    expect(take(watched([]), { seq: 11, at: "", type: "step.state", step_key: "undo", data: { state: "running" } }).unknown).toBe(true);
  });

  it("keeps log lines by step, and only the newest of very many", () => {
    let now = watched([clone()]);
    for (let seq = 11; seq < 1_011; seq++) now = take(now, { seq, at: "t", type: "step.log", step_key: "clone front", data: { line: `line ${seq}` } }).watched;
    const lines = now.logs.get("clone front") ?? [];
    expect(lines).toHaveLength(500);
    expect(lines[499]?.line).toBe("line 1010");
  });

  it("that is nonsense does no harm", () => {
    const before = watched([clone()]);
    for (const data of [null, 7, "x", { state: 3, progress: "many", error: "no" }]) {
      expect(() => paintOf(take(before, { seq: 11, at: "", type: "step.state", step_key: "clone front", data }).watched, nodes)).not.toThrow();
    }
  });
});

describe("the paint", () => {
  it("shows what is being done on the card, with its share", () => {
    const painted = paintOf(watched([clone(), start()]), nodes);
    expect(painted["service:web"]).toEqual({ state: "working", message: "Copying", percent: 20 });
    expect(painted["machine:front"]).toEqual({ state: "working", message: "Copying", percent: 20 });
    expect(painted["service:db"]).toEqual({ state: "running", message: "", percent: null });
  });

  it("shows the error in words, also after the end", () => {
    const failed = step("clone front", "machine:front", ["web"], "failed", { error: { code: "full", message: "No room on the datastore." } });
    expect(paintOf(watched([failed, start()], "failed"), nodes)["service:web"]).toEqual({ state: "failed", message: "No room on the datastore.", percent: null });
  });

  it("takes the worst machine of a pool for the pool and for the service", () => {
    const painted = paintOf(watched([], null, [machine("machine:front", "running"), machine("machine:pool-1", "running"), machine("machine:pool-2", "stopped")]), nodes);
    expect(painted["machine:pool"]?.state).toBe("stopped");
    expect(painted["service:db"]?.state).toBe("stopped");
  });

  it("counts the steps of the rollback once it runs", () => {
    const undo = step("undo clone", "machine:front", ["web"], "running", { undoes: "clone front", progress: 50, message: "Deleting" });
    const now = watched([step("clone front", "machine:front", ["web"], "failed"), undo], "reverting");
    expect(paintOf(now, nodes)["service:web"]).toMatchObject({ state: "working", message: "Deleting" });
    expect(percentOf(now)).toBe(50);
  });

  it("keeps cards whose state did not change, so that they are not drawn again", () => {
    const before = paintOf(watched([clone(), start()]), nodes);
    const after = settled(before, paintOf(watched([{ ...clone(), progress: 60 }, start()]), nodes));
    expect(after["service:db"]).toBe(before["service:db"]);
    expect(after["service:web"]).not.toBe(before["service:web"]);
    expect(settled(before, paintOf(watched([clone(), start()]), nodes))).toBe(before);
  });
});

describe("drift", () => {
  const drift = {
    changes: [{ resource: "machine:front", services: ["web"], cause: "It was deleted on the cloud." }],
    machines: [
      { key: "machine:front", name: "front", state: "missing", differences: [] },
      { key: "machine:pool-2", name: "pool-2", state: "running", differences: [{ what: "cpus", applied: "2", found: "8" }] },
    ],
    services: { web: { machines: ["machine:front"] }, db: { machines: ["machine:pool-1", "machine:pool-2"] } },
  } as unknown as Drift;

  it("is told on the cards that it concerns, with its cause", () => {
    const found = new Map(driftedIn(drift, nodes));
    expect([...found.keys()].sort()).toEqual(["machine:front", "machine:pool", "service:db", "service:web"]);
    expect(found.get("service:web")).toBe("It was deleted on the cloud.");
  });

  it("is painted on what else would be called running, and not while an operation is at work", () => {
    const calm = { ...watched([], null, [machine("machine:front", "running"), machine("machine:pool-1", "running"), machine("machine:pool-2", "running")]), drift };
    expect(paintOf(calm, nodes)["service:db"]?.state).toBe("drifted");
    expect(paintOf({ ...watched([clone()]), drift }, nodes)["service:db"]?.state).toBe("running");
  });
});
