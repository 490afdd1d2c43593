// @vitest-environment jsdom
import { EditorState } from "@codemirror/state";
import { EditorView } from "@codemirror/view";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";

import { applyEdits } from "../../src/document/edits";
import { Bridge } from "../../src/editor/bridge";
import { Breaks, normalised } from "../../src/editor/offsets";
import { extensions } from "../../src/editor/state";
import { useDocument } from "../../src/store/document";
import { useView } from "../../src/store/view";

vi.mock("../../src/workers/client", () => ({ ask: () => new Promise(() => undefined) }));

let view: EditorView;
let stop: () => void = () => undefined;

function open(text: string, readOnly = false): EditorView {
  useDocument.getState().open(text, readOnly);
  const bridge = new Bridge();
  view = new EditorView({
    parent: document.body,
    state: EditorState.create({ doc: bridge.text, extensions: [...extensions({ readOnly, hint: "h" }), bridge.sending] }),
  });
  stop = bridge.connect(view);
  return view;
}
const text = () => useDocument.getState().text;
const type = (insert: string, from: number, to = from) => view.dispatch({ changes: { from, to, insert }, userEvent: "input.type" });
const at = (word: string) => view.state.doc.toString().indexOf(word);
const press = (key: string, more: KeyboardEventInit = {}) => {
  const event = new KeyboardEvent("keydown", { key, code: `Key${key.toUpperCase()}`, keyCode: key.toUpperCase().charCodeAt(0), ctrlKey: true, cancelable: true, bubbles: true, ...more });
  view.contentDOM.dispatchEvent(event);
  return event;
};

beforeEach(() => {
  // jsdom measures nothing; the editor only needs an answer.
  Range.prototype.getClientRects = () => [] as unknown as DOMRectList;
  Range.prototype.getBoundingClientRect = () => new DOMRect();
});
afterEach(() => {
  stop();
  view.destroy();
});

describe("what is typed in the editor", () => {
  it("changes the text by exactly that", () => {
    open("services:\n  web:\n    image: nginx\n");
    type(":1.29", at("nginx") + 5);
    expect(text()).toBe("services:\n  web:\n    image: nginx:1.29\n");
    expect(useDocument.getState().past).toHaveLength(1);
    expect(useDocument.getState().past[0]?.edits).toEqual([{ from: 33, to: 33, insert: ":1.29" }]);
  });

  it("is one step when the keys follow each other, and undone as one", () => {
    open("a: 1\n");
    for (const letter of "2345") type(letter, view.state.doc.line(1).to);
    expect(text()).toBe("a: 12345\n");
    press("z");
    expect(text()).toBe("a: 1\n");
    expect(view.state.doc.toString()).toBe("a: 1\n");
    press("y");
    expect(text()).toBe("a: 12345\n");
    press("z");
    press("z", { shiftKey: true, key: "Z" });
    expect(text()).toBe("a: 12345\n");
  });

  it("goes through several places at once", () => {
    open("a: x\nb: x\nc: y\n");
    view.dispatch({ changes: [{ from: 3, to: 4, insert: "long" }, { from: 8, to: 9, insert: "" }], userEvent: "input" });
    expect(text()).toBe("a: long\nb: \nc: y\n");
  });

  it("leaves every other byte of a CR LF file alone, and new lines are like those around", () => {
    const before = "# a\r\nservices:\r\n  web:\r\n    image: nginx\r\n";
    open(before);
    expect(view.state.doc.lines).toBe(5);
    type(":1.29", at("nginx") + 5);
    type("\n    restart: always", view.state.doc.line(4).to);
    expect(text()).toBe("# a\r\nservices:\r\n  web:\r\n    image: nginx:1.29\r\n    restart: always\r\n");
    press("z");
    expect(text()).toBe(before);
    view.dispatch({ changes: { from: view.state.doc.line(1).from, to: view.state.doc.line(2).from }, userEvent: "delete" });
    expect(text()).toBe(before.slice(5));
  });

  it("keeps a file whose line breaks are mixed as it is", () => {
    const before = "a: 1\r\nb: 2\nc: 3\rd: 4\r\n\r\n\ne: 5";
    open(before);
    for (let line = 1; line <= view.state.doc.lines; line++) type("#", view.state.doc.line(line).to);
    expect(text()).toBe("a: 1#\r\nb: 2#\nc: 3#\rd: 4#\r\n#\r\n#\ne: 5#");
    expect(text().replaceAll("#", "")).toBe(before);
  });

  it("holds when a lone CR and a LF come together", () => {
    open("a: 1\rx\nb: 2\n");
    view.dispatch({ changes: { from: 5, to: 6 }, userEvent: "delete" });
    expect(text()).toBe("a: 1\r\nb: 2\n");
    expect(view.state.doc.toString()).toBe("a: 1\nb: 2\n");
  });

  it("counts emoji and a byte order mark as the document does", () => {
    open("\uFEFFname: 🚢\nservices: {}\n");
    type("!", at("🚢") + 2);
    expect(text()).toBe("\uFEFFname: 🚢!\nservices: {}\n");
  });

  it("is refused when it holds a NUL", () => {
    open("a: 1\n");
    type("\0bin", 0);
    expect(text()).toBe("a: 1\n");
    expect(view.state.doc.toString()).toBe("a: 1\n");
  });

  it("is refused politely when it is pasted from a binary file", () => {
    open("a: 1\n");
    const event = new Event("paste", { bubbles: true, cancelable: true });
    Object.assign(event, { clipboardData: { getData: () => "\x7fELF\0\0", types: ["text/plain"], files: [] } });
    view.contentDOM.dispatchEvent(event);
    expect(event.defaultPrevented).toBe(true);
    expect(text()).toBe("a: 1\n");
    expect(useView.getState().said).toMatchObject({ tone: "refused", message: { key: "editor.binary" } });
  });

  it("is nothing in a drawing that is read only", () => {
    open("a: 1\n", true);
    view.dispatch({ changes: { from: 0, insert: "x" }, userEvent: "input.type", filter: true });
    expect(text()).toBe("a: 1\n");
    expect(view.state.doc.toString()).toBe("a: 1\n");
    expect(view.state.readOnly).toBe(true);
  });
});

describe("what is drawn on the canvas", () => {
  it("moves the text of the editor, and the caret stays with its word", () => {
    open("services:\n  web:\n    image: nginx\n  db:\n    image: postgres\n");
    view.dispatch({ selection: { anchor: at("postgres") } });
    useDocument.getState().put("services:\n  web:\n    image: nginx:1.29-alpine\n  db:\n    image: postgres\n", { key: "x" });
    expect(view.state.doc.toString()).toBe(text());
    expect(view.state.selection.main.head).toBe(at("postgres"));
  });

  it("changes several places without touching what is between them", () => {
    const before = "a: 1\nb: 2\nc: 3\n";
    open(before);
    useDocument.setState({
      text: "a: 10\nb: 2\nc: 30\n",
      past: [{ label: { key: "x" }, edits: [{ from: 4, to: 4, insert: "0" }, { from: 14, to: 14, insert: "0" }], inverse: [], typing: false, at: 0 }],
    });
    view.dispatch({ selection: { anchor: at("b: 2") + 3 } });
    expect(view.state.doc.toString()).toBe("a: 10\nb: 2\nc: 30\n");
    expect(view.state.doc.sliceString(view.state.selection.main.head)).toBe("2\nc: 30\n");
  });

  it("arrives in files with CR LF", () => {
    open("a: 1\r\nb: 2\r\n");
    useDocument.getState().put("a: 1\r\nx: 9\r\nb: 2\r\n", { key: "x" });
    expect(view.state.doc.toString()).toBe("a: 1\nx: 9\nb: 2\n");
    type("!", view.state.doc.line(3).to);
    expect(text()).toBe("a: 1\r\nx: 9\r\nb: 2!\r\n");
  });
});

describe("the editor", () => {
  it("lets Tab lead out of it", () => {
    open("a: 1\n");
    const event = press("Tab", { ctrlKey: false, code: "Tab", keyCode: 9 });
    expect(event.defaultPrevented).toBe(false);
    expect(text()).toBe("a: 1\n");
  });

  it("has a name", () => {
    open("a: 1\n");
    expect(view.contentDOM.getAttribute("aria-label")).toBeTruthy();
  });
});

describe("offsets", () => {
  it("lead to and fro in random texts, and typing anywhere equals typing in the text", () => {
    let seed = 7;
    const random = (below: number) => (seed = (seed * 48271) % 2147483647) % below;
    for (let round = 0; round < 300; round++) {
      const original = Array.from({ length: 30 }, () => ["a", "é", "🚢", "\n", "\r\n", "\r\n"][random(6)]).join("");
      const breaks = new Breaks(original);
      const doc = normalised(original);
      for (let place = 0; place <= doc.length; place++) {
        expect(breaks.toDoc(breaks.toText(place))).toBe(place);
        expect(normalised(original.slice(0, breaks.toText(place)))).toBe(doc.slice(0, place));
      }
      const from = random(doc.length + 1);
      const to = Math.min(doc.length, from + random(4));
      const edited = applyEdits(original, [{ from: breaks.toText(from), to: breaks.toText(to), insert: "z" }]);
      expect(normalised(edited)).toBe(`${doc.slice(0, from)}z${doc.slice(to)}`);
    }
  });
});
