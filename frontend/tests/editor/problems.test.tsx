// @vitest-environment jsdom
import { act, cleanup, fireEvent, render, screen } from "@testing-library/react";
import { afterEach, beforeEach, describe, expect, it } from "vitest";

import type { Problem } from "../../src/document/types";
import { ProblemsPanel } from "../../src/editor/ProblemsPanel";
import { useDocument } from "../../src/store/document";
import { usePaint } from "../../src/store/paint";
import { useView } from "../../src/store/view";

const TEXT = "services:\n  web:\n    image: nginx\n";
const problem = (from: number, more: Partial<Problem> = {}): Problem => ({
  severity: "warning", code: "x", text: `found at ${from}`, path: [], source: "server", span: { from, to: from + 1 }, ...more,
});

beforeEach(() => {
  useDocument.setState({ text: TEXT, readOnly: false });
  usePaint.setState({ problems: {}, loose: [] });
});
afterEach(cleanup);

describe("the list of problems", () => {
  it("tells the line of each, from the first to the end, and follows what is typed above it", () => {
    usePaint.setState({ loose: [problem(0), problem(9), problem(10), problem(TEXT.length)] });
    render(<ProblemsPanel />);
    const lines = () => screen.getAllByText(/^line \d+$/).map((line) => line.textContent);
    expect(lines()).toEqual(["line 1", "line 1", "line 2", "line 4"]);
    act(() => {
      useDocument.setState({ text: `# a\n${TEXT}` });
      usePaint.setState({ loose: [problem(4), problem(14)] });
    });
    expect(lines()).toEqual(["line 2", "line 3"]);
  });

  it("leads to the place in the text, and shows errors before the rest", () => {
    usePaint.setState({ loose: [problem(2)], problems: { "service:web": [problem(12, { severity: "error", node: "service:web", text: "<b>bad</b>" })] } });
    render(<ProblemsPanel />);
    const [first] = screen.getAllByRole("listitem");
    expect(first?.textContent).toContain("<b>bad</b>");
    fireEvent.click(screen.getByRole("button", { name: "<b>bad</b>" }));
    expect(useView.getState().goto?.span.from).toBe(12);
    expect(useView.getState().selection).toEqual(["service:web"]);
  });
});
