// @vitest-environment jsdom
import { act, cleanup, render } from "@testing-library/react";
import { afterEach, expect, it, vi } from "vitest";

import { synthetic } from "../../bench/synthetic";
import { PrintDrawing } from "../../src/export/Print";
import { useDocument } from "../../src/store/document";

vi.mock("../../src/workers/client", () => ({ ask: () => new Promise(() => undefined) }));

afterEach(cleanup);

it("a printer gets the whole drawing with its title at once, and the page does not keep it", () => {
  const drawing = synthetic(30);
  useDocument.setState({ drawing });
  render(<PrintDrawing title="<b>Shop</b>" version="Version 3" />);
  const paper = document.querySelector(".d-print")!;
  expect(paper.textContent).toContain("<b>Shop</b>");
  expect(paper.textContent).toContain("Version 3");
  expect(paper.querySelector("svg")).toBeNull();
  // What a browser prints is what is there when the event is over.
  window.dispatchEvent(new Event("beforeprint"));
  const words = [...paper.querySelectorAll("svg text")].map((one) => one.textContent);
  for (const node of drawing.nodes.filter(({ kind }) => kind === "service")) expect(words).toContain(node.name);
  act(() => void window.dispatchEvent(new Event("afterprint")));
  expect(paper.querySelector("svg")).toBeNull();
});
