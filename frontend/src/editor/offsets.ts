import type { ChangeSet } from "@codemirror/state";

import type { TextEdit } from "../document/types";

/**
 * CodeMirror counts each line break as one character, whatever it is in the text; the document counts what is there.
 * This leads from one count to the other, so that only what is typed changes a byte.
 */
export class Breaks {
  /** Places in the editor of the breaks that are CR LF in the text, ascending. */
  private readonly double: number[] = [];

  constructor(private readonly text: string) {
    let found = text.indexOf("\r\n");
    for (let before = 0; found !== -1; found = text.indexOf("\r\n", found + 2)) this.double.push(found - before++);
  }

  /** From the editor's count to the text's. */
  toText(position: number): number {
    return position + this.count((place) => place < position);
  }

  /** From the text's count to the editor's; between CR and LF is before the break. */
  toDoc(offset: number): number {
    return offset - this.count((place, index) => place + index < offset);
  }

  /** The kind of break that a line inserted at a place of the editor takes: that of the line above, else below. */
  breakAt(position: number): string {
    if (this.double.length === 0) return "\n";
    const offset = this.toText(position);
    const above = this.text.lastIndexOf("\n", offset - 1);
    const at = offset > 0 && above !== -1 ? above : this.text.indexOf("\n", offset);
    return at > 0 && this.text[at - 1] === "\r" ? "\r\n" : "\n";
  }

  /** Count the doubles at the beginning for which something holds: it holds for none after one for which it does not. */
  private count(holds: (place: number, index: number) => boolean): number {
    let low = 0;
    let high = this.double.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (holds(this.double[middle] as number, middle)) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

/** The text as the editor has it: every kind of break is one character. */
export function normalised(text: string): string {
  return text.includes("\r") ? text.replace(/\r\n?/g, "\n") : text;
}

/** What was changed in the editor, as edits of the text that `breaks` was made of. */
export function editsOf(changes: ChangeSet, breaks: Breaks): TextEdit[] {
  const edits: TextEdit[] = [];
  changes.iterChanges((from, to, _from, _to, inserted) => {
    const eol = breaks.breakAt(from);
    const text = inserted.toString();
    edits.push({ from: breaks.toText(from), to: breaks.toText(to), insert: eol === "\n" ? text : text.replace(/\n/g, eol) });
  });
  return edits;
}
