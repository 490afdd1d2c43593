import { afterEach, expect, test } from "vitest";

import { useDocument } from "../../src/store/document";
import { usePaint } from "../../src/store/paint";
import { compareTexts, endComparison, useDiff } from "../../src/versions/diff";

const BEFORE = `services:
  web:
    image: nginx:1
    depends_on: [db]
  db:
    image: postgres:18
x-escale:
  machines:
    data: {cpus: 2}
`;
const AFTER = `services:
  web:
    image: nginx:2
  cache:
    image: redis:8
`;

afterEach(endComparison);

test("what was removed stands in the picture with what was added, and its lines too", async () => {
  await compareTexts(1, 2, { before: BEFORE, after: AFTER });
  const { compared, diff, diffEdges } = usePaint.getState();
  expect(compared?.nodes.map(({ id }) => id).sort()).toEqual(["machine:data", "service:cache", "service:db", "service:web"]);
  expect(compared?.edges.map(({ id }) => id)).toEqual(["depends_on:web>db"]);
  expect(diff).toMatchObject({ "service:web": "changed", "service:db": "removed", "service:cache": "added", "machine:data": "removed" });
  expect(diffEdges).toEqual({ "depends_on:web>db": "removed" });
  expect(useDiff.getState().removedNodes.map(({ id }) => id).sort()).toEqual(["machine:data", "service:db"]);
});

test("gestures on a comparison of old versions are refused, those on a comparison with the present are not", async () => {
  useDocument.getState().open(AFTER, false);
  await compareTexts(1, 2, { before: BEFORE, after: AFTER });
  const gesture = { do: "set", path: ["services", "web", "image"], value: "nginx:3" } as const;
  expect(await useDocument.getState().run(gesture)).toEqual({ ok: false, refused: { key: "document.comparing" } });
  usePaint.getState().set({ mode: "none" });
  expect((await useDocument.getState().run(gesture)).ok).toBe(true);
  await compareTexts(1, "now", { before: BEFORE, after: useDocument.getState().text });
  expect((await useDocument.getState().run({ ...gesture, value: "nginx:4" })).ok).toBe(true);
});

test("undoing while old versions are compared shows the drawing again, so that what changes is seen", async () => {
  useDocument.getState().open(AFTER, false);
  useDocument.getState().put(BEFORE, { key: "editor.imported" });
  await compareTexts(1, 2, { before: BEFORE, after: AFTER });
  expect(usePaint.getState().mode).toBe("diff");
  expect(useDocument.getState().undo()).toEqual({ key: "editor.imported" });
  expect(usePaint.getState().mode).toBe("none");
  expect(useDocument.getState().text).toBe(AFTER);
});

test("the end of a comparison takes everything off the canvas", async () => {
  await compareTexts(1, 2, { before: BEFORE, after: AFTER });
  endComparison();
  expect(usePaint.getState()).toMatchObject({ mode: "none", diff: {}, diffEdges: {}, compared: null });
});
