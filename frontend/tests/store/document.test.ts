import { beforeEach, expect, test, vi } from "vitest";

let dead = false;

vi.mock("../../src/workers/client", () => ({
  ask: (request: { ask: string; text: string; command?: { text: string } }) =>
    dead ? Promise.reject(new Error("the document worker stopped")) : Promise.resolve(
      request.ask === "derive"
        ? { ok: true, drawing: { name: "", nodes: [], edges: [], published: [], problems: [], lines: request.text.length } }
        : {
            ok: true, created: [], label: { key: "command.test" },
            edits: [{ from: request.text.length, to: request.text.length, insert: request.command?.text ?? "" }],
          },
    ),
}));

const { useDocument } = await import("../../src/store/document");
const now = vi.spyOn(Date, "now");

beforeEach(() => {
  now.mockReturnValue(0);
  useDocument.getState().open("abc", false);
});

const add = (text: string) => useDocument.getState().run({ do: "replace", text, label: { key: "x" } });

test("typing within a second is one step, and undo brings back every byte", () => {
  const { type, undo, redo } = useDocument.getState();
  type([{ from: 3, to: 3, insert: "d" }]);
  now.mockReturnValue(500);
  type([{ from: 4, to: 4, insert: "e" }]);
  expect(useDocument.getState().past).toHaveLength(1);
  now.mockReturnValue(5_000);
  type([{ from: 0, to: 1, insert: "" }]);
  expect(useDocument.getState().past).toHaveLength(2);
  expect(useDocument.getState().text).toBe("bcde");
  undo();
  expect(useDocument.getState().text).toBe("abcde");
  undo();
  expect(useDocument.getState().text).toBe("abc");
  expect(undo()).toBeNull();
  redo();
  redo();
  expect(useDocument.getState().text).toBe("bcde");
});

test("a gesture that is made while somebody types lands on the newer text", async () => {
  const gesture = add("!");
  useDocument.getState().type([{ from: 0, to: 0, insert: "x" }]);
  expect((await gesture).ok).toBe(true);
  expect(useDocument.getState().text).toBe("xabc!");
});

test("gestures are made one after the other, each on what the one before left", async () => {
  await Promise.all([add("1"), add("2"), add("3")]);
  expect(useDocument.getState().text).toBe("abc123");
  expect(useDocument.getState().past).toHaveLength(3);
});

test("a new step forgets what was undone", async () => {
  await add("1");
  useDocument.getState().undo();
  expect(useDocument.getState().future).toHaveLength(1);
  await add("2");
  expect(useDocument.getState().future).toHaveLength(0);
  expect(useDocument.getState().text).toBe("abc2");
});

test("nothing changes a drawing that is only to be read", async () => {
  useDocument.getState().open("abc", true);
  useDocument.getState().type([{ from: 0, to: 0, insert: "x" }]);
  expect((await add("1")).ok).toBe(false);
  expect(useDocument.getState().text).toBe("abc");
});

test("steps of a text that was opened before are gone", async () => {
  await add("1");
  useDocument.getState().open("new", false);
  expect(useDocument.getState().undo()).toBeNull();
  expect(useDocument.getState().text).toBe("new");
});

test("a worker that stops is told of, loses nothing, and the next one goes on", async () => {
  dead = true;
  const refused = await add("1");
  expect(refused).toEqual({ ok: false, refused: { key: "document.failed" } });
  useDocument.getState().type([{ from: 3, to: 3, insert: "d" }]);
  await vi.waitFor(() => expect(useDocument.getState().broken).toMatchObject([{ code: "drawing.unread" }]));
  dead = false;
  expect((await add("2")).ok).toBe(true);
  expect(useDocument.getState()).toMatchObject({ text: "abcd2", drawnText: "abcd2", broken: [] });
});
