import { readdirSync, readFileSync, existsSync } from "node:fs";
import { join } from "node:path";

import { beforeEach, describe, expect, it } from "vitest";

import { arrange, place } from "../../src/canvas/actions";
import { follow, startPlaces } from "../../src/canvas/places";
import { NOWHERE, seenAt, useCanvas } from "../../src/canvas/state";
import { toSvg } from "../../src/export/svg";
import { useDocument } from "../../src/store/document";

const CORPUS = new URL("../../../tests/corpus/awesome-compose", import.meta.url).pathname;
const FILES = readdirSync(CORPUS).flatMap((name) =>
  ["compose.yaml", "compose.yml"].map((file) => join(CORPUS, name, file)).filter((file) => existsSync(file)));

/** The document's own worker answers here directly; wait until the drawing of the present text is there. */
async function settled(): Promise<void> {
  for (let tries = 0; tries < 2_000; tries++) {
    const { drawnRevision, revision, broken } = useDocument.getState();
    if (drawnRevision === revision || broken.length > 0) return;
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

describe.each(FILES.map((file) => [file.split("/").at(-2)!, file]))("%s on the canvas", (_, file) => {
  beforeEach(() => useCanvas.setState({ drawing: null, geometry: NOWHERE, overrides: new Map() }));

  it("comes back to the same bytes and places when one card is moved and that is undone", async () => {
    const text = readFileSync(file, "utf8");
    useDocument.getState().open(text, false);
    await settled();
    const stop = startPlaces();
    const service = useDocument.getState().drawing.nodes.find((node) => node.kind === "service")!;
    const before = seenAt(service.id)!;
    await place([{ id: service.id, rect: { ...before, x: before.x + 48, y: before.y + 24 } }], true);
    await settled();
    expect(seenAt(service.id)).toMatchObject({ x: before.x + 48, y: before.y + 24 });
    expect(useDocument.getState().text).not.toBe(text);
    expect(useDocument.getState().past.length).toBe(1);
    useDocument.getState().undo();
    await settled();
    expect(useDocument.getState().text).toBe(text);
    expect(seenAt(service.id)).toEqual(before);
    stop();
  });

  it("is drawn as a picture without a number that is none", async () => {
    useDocument.getState().open(readFileSync(file, "utf8"), false);
    await settled();
    follow(useDocument.getState().drawing);
    const svg = toSvg(useCanvas.getState().drawing!, useCanvas.getState().geometry, { title: "x" });
    expect(svg).not.toMatch(/NaN|undefined|Infinity/);
  });
});

describe("arranging", () => {
  it("forgets places made by hand, and writes nothing when there were none", async () => {
    useCanvas.setState({ drawing: null, geometry: NOWHERE, overrides: new Map() });
    useDocument.getState().open("services:\n  a:\n    image: x\n    depends_on: [b]\n  b:\n    image: x\n", false);
    await settled();
    const stop = startPlaces();
    const text = useDocument.getState().text;
    const first = seenAt("service:b")!;
    await arrange();
    expect(useDocument.getState().text).toBe(text);
    await place([{ id: "service:b", rect: { ...first, y: first.y + 240 } }], false);
    await settled();
    expect(seenAt("service:b")!.y).toBe(first.y + 240);
    await arrange();
    await settled();
    expect(seenAt("service:b")).toEqual(first);
    stop();
  });
});
