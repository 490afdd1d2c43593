import { Annotation, type ChangeSpec, Transaction } from "@codemirror/state";
import { EditorView } from "@codemirror/view";

import { applyEdits, smallestSplice } from "../document/edits";
import type { TextEdit } from "../document/types";
import { useDocument } from "../store/document";
import { Breaks, editsOf, normalised } from "./offsets";

/** Marks what came from the document: it is not sent back. */
const fromDocument = Annotation.define<boolean>();

/** Keep an editor and the document at the same text. The document has the only history. */
export class Bridge {
  /** The text that the editor shows, and its line breaks. */
  private shown: string;
  breaks: Breaks;
  private view: EditorView | null = null;

  constructor() {
    this.shown = useDocument.getState().text;
    this.breaks = new Breaks(this.shown);
  }

  get text(): string {
    return this.shown;
  }

  /** The extension that sends what is typed. */
  readonly sending = EditorView.updateListener.of((update) => {
    if (!update.docChanged || update.transactions.some((transaction) => transaction.annotation(fromDocument))) return;
    this.type(editsOf(update.changes, this.breaks));
  });

  /** Begin to follow the document; returns what ends it. */
  connect(view: EditorView): () => void {
    this.view = view;
    this.follow(useDocument.getState().text);
    return useDocument.subscribe((now) => this.follow(now.text));
  }

  private type(edits: TextEdit[]): void {
    const typed = applyEdits(this.shown, edits);
    this.show(typed);
    useDocument.getState().type(edits);
    // The document may refuse; and a lone CR beside a LF becomes one break in the text, but not in the editor.
    const { text } = useDocument.getState();
    if (text !== typed || (typed.includes("\r") && this.view?.state.doc.length !== normalised(typed).length)) {
      this.shown = "\0"; // anything but the text
      this.follow(text);
    }
  }

  private follow(text: string): void {
    if (text === this.shown || !this.view) return;
    const before = this.view.state.doc.toString();
    const changes = this.changesTo(text, before);
    this.show(text);
    this.view.dispatch({ changes, annotations: [fromDocument.of(true), Transaction.addToHistory.of(false)], filter: false });
  }

  /** The fewest changes: those of the step that was made, when it is known, so that caret and folds stay. */
  private changesTo(text: string, before: string): ChangeSpec {
    const after = normalised(text);
    const { past, future } = useDocument.getState();
    for (const edits of [past[past.length - 1]?.edits, future[future.length - 1]?.inverse]) {
      if (!edits || (edits[edits.length - 1]?.to ?? 0) > this.shown.length || applyEdits(this.shown, edits) !== text) continue;
      const changes = edits.map(({ from, to, insert }) => ({
        from: this.breaks.toDoc(from), to: this.breaks.toDoc(to), insert: normalised(insert),
      }));
      if (applyEdits(before, changes) === after) return changes;
    }
    return smallestSplice(before, after);
  }

  private show(text: string): void {
    this.shown = text;
    this.breaks = new Breaks(text);
  }
}
