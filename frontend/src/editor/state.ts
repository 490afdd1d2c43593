import { defaultKeymap } from "@codemirror/commands";
import { yaml } from "@codemirror/lang-yaml";
import { bracketMatching, foldGutter, foldKeymap, indentOnInput, indentUnit } from "@codemirror/language";
import { lintGutter, nextDiagnostic, previousDiagnostic } from "@codemirror/lint";
import { highlightSelectionMatches, search, searchKeymap } from "@codemirror/search";
import { Compartment, EditorState, type Extension, StateEffect, StateField } from "@codemirror/state";
import {
  Decoration, type DecorationSet, drawSelection, dropCursor, EditorView, highlightActiveLine, highlightActiveLineGutter,
  highlightSpecialChars, keymap, lineNumbers,
} from "@codemirror/view";

import { step } from "../app/gestures";
import { currentLanguage, t } from "../i18n";
import { editor as en } from "../i18n/en/editor";
import { useView } from "../store/view";
import { nonce, theme } from "./theme";

/** A paste beyond this would only make the page stand still. */
const MOST_PASTED = 4 * 1024 * 1024;
const CHOSEN_LINES = 2_000;

export const editable = new Compartment();
export const completion = new Compartment();

export const readOnly = (on: boolean): Extension => [EditorState.readOnly.of(on), EditorView.editable.of(true)];

/** Mark the lines of the cards that are selected; places are those of the editor. */
export const setChosen = StateEffect.define<{ from: number; to: number }[]>();
const chosenLine = Decoration.line({ class: "d-cm-chosen" });
const chosen = StateField.define<DecorationSet>({
  create: () => Decoration.none,
  update: (lines, transaction) => {
    let next = lines.map(transaction.changes);
    for (const effect of transaction.effects) {
      if (!effect.is(setChosen)) continue;
      const starts = new Set<number>();
      const { doc } = transaction.state;
      for (const { from, to } of effect.value) {
        const last = doc.lineAt(Math.min(to, doc.length)).number;
        for (let at = doc.lineAt(Math.min(from, doc.length)).number; at <= last && starts.size < CHOSEN_LINES; at++) starts.add(doc.line(at).from);
      }
      next = Decoration.set([...starts].sort((a, b) => a - b).map((from) => chosenLine.range(from)));
    }
    return next;
  },
  provide: (field) => EditorView.decorations.from(field),
});

const refuse = (key: string): true => {
  useView.getState().say({ key }, "refused");
  return true;
};

/** Refuse what is no text, politely: the clipboard and dropped files may hold anything. */
function refused(data: DataTransfer | null): boolean {
  const text = data?.getData("text/plain") ?? "";
  if (text.includes("\0")) return refuse("editor.binary");
  return text.length > MOST_PASTED ? refuse("editor.paste_too_large") : false;
}

const guards: Extension = [
  EditorView.domEventHandlers({
    paste: (event) => {
      if (!refused(event.clipboardData)) return false;
      event.preventDefault();
      return true;
    },
    drop: (event) => {
      if (!refused(event.dataTransfer)) return false;
      event.preventDefault();
      return true;
    },
  }),
  EditorState.changeFilter.of((transaction) => {
    let clean = true;
    transaction.changes.iterChanges((_a, _b, _c, _d, inserted) => {
      if (clean && inserted.toString().includes("\0")) clean = false;
    });
    return clean;
  }),
];

/** There is one history, the document's: the editor has none of its own. */
const stepping = (direction: "undo" | "redo") => (): true => {
  step(direction);
  return true;
};

const keys = keymap.of([
  { key: "Mod-z", run: stepping("undo"), preventDefault: true },
  { key: "Mod-y", run: stepping("redo"), preventDefault: true },
  { key: "Mod-Shift-z", run: stepping("redo"), preventDefault: true },
  { key: "F8", run: nextDiagnostic },
  { key: "Shift-F8", run: previousDiagnostic },
  {
    key: "Mod-Shift-m",
    run: () => {
      useView.getState().set({ panel: "problems" });
      return true;
    },
  },
  ...searchKeymap,
  ...foldKeymap,
  // Tab is left out on purpose: it leads out of the editor. Ctrl-] and Ctrl-[ indent.
  ...defaultKeymap.filter(({ key }) => key !== "Tab" && key !== "Mod-Alt-\\"),
]);

const PHRASE = "editor.cm.";

/** CodeMirror's own words, which are the keys of ours, in the reader's language. */
export function phrases(): Extension {
  if (currentLanguage() === "en") return [];
  const own = Object.keys(en).filter((key) => key.startsWith(PHRASE));
  return EditorState.phrases.of(Object.fromEntries(own.map((key) => [key.slice(PHRASE.length), t(key)])));
}

/** All extensions but those that tie an editor to the document. */
export function extensions(on: { readOnly: boolean; hint: string }): Extension[] {
  return [
    nonce(), theme, phrases(),
    lineNumbers(), lintGutter(), foldGutter({ openText: "⌄", closedText: "›" }),
    drawSelection(), dropCursor(), highlightActiveLine(), highlightActiveLineGutter(), highlightSpecialChars(),
    EditorState.tabSize.of(2), indentUnit.of("  "), indentOnInput(), bracketMatching(), yaml(),
    search({ top: true }), highlightSelectionMatches(), chosen, guards, keys,
    completion.of([]), editable.of(readOnly(on.readOnly)),
    EditorView.contentAttributes.of({ tabindex: "0", "aria-label": t("editor.label"), "aria-describedby": on.hint, spellcheck: "false", autocapitalize: "off" }),
  ];
}
