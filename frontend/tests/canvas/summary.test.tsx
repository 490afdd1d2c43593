// @vitest-environment jsdom
import { render } from "@testing-library/react";
import { beforeEach, describe, expect, it } from "vitest";

import { synthetic } from "../../bench/synthetic";
import { Summary } from "../../src/canvas/nodes/Summary";
import { follow } from "../../src/canvas/places";
import { NOWHERE, useCanvas } from "../../src/canvas/state";
import type { NodeId, Problem } from "../../src/document/types";
import { usePaint } from "../../src/store/paint";

const MEMBERS: NodeId[] = ["service:n0", "service:n1", "service:n2"];
const problem = (severity: Problem["severity"]): Problem => ({ severity, code: "x", text: "x", path: [], source: "server" });

function drawn(level: number): HTMLElement {
  return render(<Summary members={MEMBERS} origin={{ ax: 0, ay: 0, w: 900, h: 900 }} level={level} />).container;
}

describe("a summary", () => {
  beforeEach(() => {
    useCanvas.setState({ drawing: null, geometry: NOWHERE });
    follow(synthetic(5));
    usePaint.getState().set({ mode: "none", problems: {}, plan: {}, live: {} });
  });

  it("marks errors and warnings, and no mere notes", () => {
    usePaint.getState().set({ problems: { "service:n0": [problem("info")], "service:n1": [problem("warning")], "service:n2": [problem("error")] } });
    for (const level of [0, 1])
      expect([...drawn(level).querySelectorAll(".d-shape")].map((shape) => shape.getAttribute("class"))).toEqual(["d-shape d-shape-warning", "d-shape d-shape-error"]);
  });

  it("shows in the middle distance how each service runs, each by a shape of its own", () => {
    usePaint.getState().set({
      mode: "live",
      live: { "service:n0": { state: "running", message: "", percent: null }, "service:n2": { state: "failed", message: "", percent: null } },
    });
    const badges = [...drawn(1).querySelectorAll(".d-badge")];
    expect(badges.map((badge) => badge.getAttribute("class"))).toEqual(["d-badge d-badge-good", "d-badge d-badge-error"]);
    expect(new Set(badges.map((badge) => badge.querySelector("path")!.getAttribute("d"))).size).toBe(2);
    expect([...drawn(0).querySelectorAll(".d-shape")].length).toBe(1);
  });

  it("shows in the middle distance what the plan does, and nothing where it keeps", () => {
    usePaint.getState().set({
      mode: "plan",
      plan: {
        "service:n0": { change: "keep", causes: [], dataLoss: false }, "service:n1": { change: "create", causes: [], dataLoss: false },
      },
    });
    expect([...drawn(1).querySelectorAll(".d-badge")].map((badge) => badge.getAttribute("class"))).toEqual(["d-badge d-badge-good"]);
  });
});
