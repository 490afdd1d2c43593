// @vitest-environment jsdom
import { CompletionContext } from "@codemirror/autocomplete";
import { EditorState } from "@codemirror/state";
import { describe, expect, it, vi } from "vitest";

import { complete } from "../../src/editor/completion";
import { useDocument } from "../../src/store/document";

vi.mock("../../src/workers/client", () => ({ ask: () => new Promise(() => undefined) }));

/** What is offered where the bar stands. */
function offered(marked: string): string[] {
  const pos = marked.indexOf("|");
  const state = EditorState.create({ doc: marked.replace("|", "") });
  return complete(new CompletionContext(state, pos, true))?.options.map(({ label }) => label) ?? [];
}

describe("completion offers", () => {
  it("the sections at the top, without those that are there", () => {
    const keys = offered("services:\n  web:\n    image: x\n|");
    expect(keys).toContain("volumes");
    expect(keys).not.toContain("services");
  });

  it("the keys of a service, without those that it has, above and below", () => {
    const keys = offered("services:\n  web:\n    image: x\n    |\n    restart: always\n");
    expect(keys).toContain("ports");
    expect(keys).toContain("x-escale");
    expect(keys).not.toContain("image");
    expect(keys).not.toContain("restart");
  });

  it("the keys inside of a key", () => {
    expect(offered("services:\n  web:\n    deploy:\n      resources:\n        limits:\n          |")).toEqual(expect.arrayContaining(["cpus", "memory"]));
    expect(offered("services:\n  web:\n    x-escale:\n      |")).toContain("machine");
    expect(offered("x-escale:\n  machines:\n    front:\n      |")).toContain("memory");
  });

  it("the values of a key, and names that the drawing has", () => {
    const node = { id: "machine:front", kind: "machine", name: "front" };
    useDocument.setState({ drawing: { ...useDocument.getState().drawing, nodes: [node] as never } });
    expect(offered("services:\n  web:\n    x-escale:\n      machine: |")).toEqual(["front"]);
    expect(offered("networks:\n  back:\n    internal: |")).toEqual(["true", "false"]);
  });

  it("nothing in what the designer writes itself", () => {
    expect(offered("x-escale:\n  canvas:\n    |")).toEqual([]);
  });
});
