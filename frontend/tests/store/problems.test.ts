import { describe, expect, it } from "vitest";

import type { Drawing, DrawingNode, Problem } from "../../src/document/types";
import { against, allOf, arrange, problemOfFinding, problemOfLedger, shift } from "../../src/store/problems";

const TEXT = "services:\r\n  web:\r\n    image: nginx\r\nx-escale:\r\n  machines:\r\n    front: {}\r\n";
const node = (id: string, path: string[], more: object = {}) =>
  ({ id, kind: id.split(":")[0], name: id.split(":")[1], path, span: { from: 13, to: 37 }, parent: null, ...more }) as unknown as DrawingNode;
const drawing: Drawing = {
  name: "", edges: [], published: [], problems: [], lines: 6,
  nodes: [
    node("service:web", ["services", "web"]),
    node("machine:front", ["x-escale", "machines", "front"]),
    node("machine:pool", ["x-escale", "machines", "pool"], { count: 3 }),
  ],
};
const where = against(TEXT, drawing);
const finding = (more: object) => ({ code: "c", severity: "error" as const, message: "m", path: [], line: null, column: null, hint: "", ...more });

describe("a finding", () => {
  it("is shown by the node that its path leads into, at its line", () => {
    const problem = problemOfFinding(finding({ path: ["services", "web", "ports", 0], line: 3, column: 5, hint: "h" }), where);
    expect(problem).toMatchObject({ node: "service:web", hint: "h", source: "server" });
    expect(TEXT.slice(problem.span?.from, problem.span?.to)).toBe("image: nginx");
  });

  it("without a line is shown at its node, and without both nowhere", () => {
    expect(problemOfFinding(finding({ path: ["x-escale", "machines", "front", "cpus"] }), where)).toMatchObject({ node: "machine:front", span: { from: 13 } });
    expect(problemOfFinding(finding({ path: ["services"] }), where)).toMatchObject({ node: undefined, span: undefined });
    expect(problemOfFinding(finding({ line: 99 }), where).span).toBeUndefined();
  });

  it("brings its mends along, and strange paths do no harm", () => {
    const fix = [{ title: "Rename", edits: [{ op: "rename" as const, path: ["services", "web", null, "imag"], value: "image" }] }];
    const problem = problemOfFinding(finding({ fix, path: [{ evil: 1 }, "services", "web"] }), where);
    expect(problem.fixes).toEqual([{ title: "Rename", edits: [{ op: "rename", path: ["services", "web", "imag"], value: "image" }] }]);
  });
});

describe("an entry of the ledger", () => {
  const entry = (verdict: "honoured" | "approximated" | "dropped") =>
    problemOfLedger({ path: ["services", "web", "image"], verdict, reason: "because", code: "ledger.x", line: 3 }, where);

  it("is a warning when dropped, a note when approximated, nothing when honoured", () => {
    expect(entry("dropped")).toMatchObject({ severity: "warning", source: "ledger", node: "service:web" });
    expect(entry("approximated")).toMatchObject({ severity: "info" });
    expect(entry("honoured")).toBeUndefined();
  });

  it("marks its line without the indentation", () => {
    const span = entry("dropped")?.span;
    expect(TEXT.slice(span?.from, span?.to)).toBe("image: nginx");
  });
});

describe("problems", () => {
  const problem = (more: Partial<Problem>): Problem => ({ severity: "error", code: "c", text: "t", path: [], source: "server", ...more });

  it("are laid out by node, each said once, the worst first; what has no card is loose", () => {
    const painted = arrange([
      problem({ severity: "info", code: "i", node: "service:web" }),
      problem({ node: "service:web" }), problem({ node: "service:web", source: "plan" }),
      problem({ node: "service:gone", code: "g" }), problem({ code: "l" }),
    ], drawing);
    expect(painted.problems["service:web"]?.map(({ code }) => code)).toEqual(["c", "i"]);
    expect(painted.loose.map(({ code }) => code)).toEqual(["g", "l"]);
    expect(allOf(painted).map(({ severity }) => severity)).toEqual(["error", "error", "error", "info"]);
  });

  it("move with what is typed before them", () => {
    const at = (from: number, to: number) => problem({ span: { from, to } });
    const spans = shift([at(0, 2), at(10, 20), at(4, 8), problem({})], [{ from: 5, to: 7, insert: "1234" }]).map(({ span }) => span);
    expect(spans).toEqual([{ from: 0, to: 2 }, { from: 12, to: 22 }, { from: 4, to: 10 }, undefined]);
  });

  it("of resources belong to the machine, and to the pool that it is one of", () => {
    expect(where.nodes.ofResource("machine:front")).toBe("machine:front");
    expect(where.nodes.ofResource("machine:pool-2")).toBe("machine:pool");
    expect(where.nodes.ofResource("machine:front-2")).toBeUndefined();
    expect(where.nodes.ofResource("ireland/machine:front")).toBe("machine:front");
    expect(where.nodes.ofResource("ireland/machine:pool-1")).toBe("machine:pool");
    expect(where.nodes.ofResource("network:@a/machine:front")).toBeUndefined();
    expect(where.nodes.ofResource("machine:host-1")).toBeUndefined();
  });
});
