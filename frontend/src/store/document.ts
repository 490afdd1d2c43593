import { create } from "zustand";

import { applyEdits, invert, smallestSplice } from "../document/edits";
import type { Applied, Command, Derived, Drawing, Message, Problem, Step, TextEdit } from "../document/types";
import { ask } from "../workers/client";
import { usePaint } from "./paint";

const EMPTY: Drawing = { name: "", nodes: [], edges: [], published: [], problems: [], lines: 0 };
/** The worker gave up: a text that is nested too deeply, a browser without memory. The text itself is safe. */
const UNREAD: Derived = {
  ok: false, problems: [{ severity: "error", code: "drawing.unread", text: { key: "document.unread" }, path: [], source: "drawing" }],
};
const FAILED: Applied = { ok: false, refused: { key: "document.failed" } };
const KEPT_STEPS = 500;
const TYPING_JOINS_MS = 1_000;

interface DocumentState {
  /** The truth. */
  text: string;
  /** Grows with every change of the text; the drawing's own number tells whether it is up to date. */
  revision: number;
  /** The last good drawing, the text that it was derived from, and that text's revision. */
  drawing: Drawing;
  drawnText: string;
  drawnRevision: number;
  /** Why the present text cannot be drawn; empty when it can. */
  broken: Problem[];
  past: Step[];
  future: Step[];
  /** Nothing may be changed: a shared drawing, an old version, no role. */
  readOnly: boolean;
  /** The canvas shows an old version in a comparison: gestures on it would mean something else. */
  looking: boolean;
  /** The drawing of the text as opened has arrived. */
  ready: boolean;

  open: (text: string, readOnly: boolean) => void;
  /** Carry out a gesture; resolves when text and drawing are changed, or with the reason why not. */
  run: (command: Command) => Promise<Applied>;
  /** Take what was typed in the editor (edits of the present text). */
  type: (edits: TextEdit[]) => void;
  /** Put another text in place of the present one at once, as one step: a merge, a restored copy. */
  put: (text: string, label: Message) => void;
  undo: () => Message | null;
  redo: () => Message | null;
}

let queue: Promise<unknown> = Promise.resolve();
let reading: Promise<void> | null = null;
let waiting: Promise<void> | null = null;

export const useDocument = create<DocumentState>()((set, get) => {
  function change(edits: TextEdit[], past: Step[], future: Step[]): void {
    const { text, revision } = get();
    set({ text: applyEdits(text, edits), revision: revision + 1, past, future });
    // A change of the present text must be seen, not hidden behind a comparison of old versions.
    if (get().looking && usePaint.getState().mode === "diff") usePaint.getState().set({ mode: "none" });
    void redraw();
  }

  /**
   * Derive the drawing of the present text; resolves when it, or a newer one, is drawn. While one text is read, those
   * that are typed meanwhile wait, and only the newest of them is read: keys may come faster than drawings.
   */
  function redraw(): Promise<void> {
    if (reading === null) return (reading = derivePresent().finally(() => (reading = null)));
    return (waiting ??= reading.catch(() => undefined).then(() => {
      waiting = null;
      return redraw();
    }));
  }

  async function derivePresent(): Promise<void> {
    const { text, revision } = get();
    const derived = await ask({ ask: "derive", text }).catch(() => UNREAD);
    if (get().drawnRevision > revision) return;
    if (derived.ok) {
      set({ drawing: derived.drawing, drawnText: text, drawnRevision: revision, ready: true });
      if (get().revision === revision) set({ broken: [] });
    } else if (get().revision === revision) set({ broken: derived.problems, ready: true });
  }

  async function carryOut(command: Command): Promise<Applied> {
    if (get().readOnly) return { ok: false, refused: { key: "document.read_only" } };
    if (get().looking && usePaint.getState().mode === "diff") return { ok: false, refused: { key: "document.comparing" } };
    for (let tries = 0; tries < 5; tries++) {
      const { text, revision } = get();
      const applied = await ask({ ask: "apply", text, command }).catch(() => FAILED);
      if (get().revision !== revision) continue; // typed meanwhile: the gesture is made on the newer text
      if (!applied.ok || applied.edits.length === 0) return applied;
      const step: Step = {
        label: applied.label,
        edits: applied.edits,
        inverse: invert(text, applied.edits),
        typing: false,
        at: Date.now(),
      };
      set({ text: applyEdits(text, applied.edits), revision: revision + 1, past: kept(get().past, step), future: [] });
      await redraw();
      return applied;
    }
    return { ok: false, refused: { key: "document.busy" } };
  }

  return {
    text: "",
    revision: 0,
    drawing: EMPTY,
    drawnText: "",
    drawnRevision: -1,
    broken: [],
    past: [],
    future: [],
    readOnly: false,
    looking: false,
    ready: false,

    open: (text, readOnly) => {
      set({
        text, readOnly, revision: get().revision + 1, past: [], future: [], broken: [], ready: false,
      });
      void redraw();
    },

    run: (command) => {
      const result = queue.then(() => carryOut(command));
      queue = result.catch(() => undefined);
      return result;
    },

    type: (edits) => {
      const { text, past, readOnly } = get();
      if (readOnly || edits.length === 0) return;
      const now = Date.now();
      const last = past[past.length - 1];
      const after = applyEdits(text, edits);
      if (last?.typing && now - last.at < TYPING_JOINS_MS) {
        // Joined steps are kept as one splice between the text before the first and after the last.
        const before = applyEdits(text, last.inverse);
        const joined = smallestSplice(before, after);
        const step = { ...last, edits: joined, inverse: invert(before, joined), at: now };
        change(edits, [...past.slice(0, -1), step], []);
      } else {
        const step: Step = {
          label: { key: "command.type" }, edits, inverse: invert(text, edits), typing: true, at: now,
        };
        change(edits, kept(past, step), []);
      }
    },

    put: (after, label) => {
      const { text, past, readOnly } = get();
      const edits = smallestSplice(text, after);
      if (readOnly || edits.length === 0) return;
      const step: Step = { label, edits, inverse: invert(text, edits), typing: false, at: Date.now() };
      change(edits, kept(past, step), []);
    },

    undo: () => {
      const { past, future, readOnly } = get();
      const step = past[past.length - 1];
      if (!step || readOnly) return null;
      change(step.inverse, past.slice(0, -1), [...future, { ...step, typing: false }]);
      return step.label;
    },

    redo: () => {
      const { past, future, readOnly } = get();
      const step = future[future.length - 1];
      if (!step || readOnly) return null;
      change(step.edits, [...past, { ...step, typing: false }], future.slice(0, -1));
      return step.label;
    },
  };
});

function kept(past: Step[], step: Step): Step[] {
  return past.length < KEPT_STEPS ? [...past, step] : [...past.slice(1), step];
}
