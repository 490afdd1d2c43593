import { missingAnchors, writtenOut } from "./anchors";
import type { Change } from "./changes";
import { compose } from "./compose";
import { applyEdits } from "./edits";
import { locate, Refused } from "./locate";
import { parse } from "./source";
import type { Source } from "./source";
import { splice } from "./splice";
import { Tree } from "./tree";
import type { Applied, Message, NodeId, Path, TextEdit } from "./types";

/** A text on its way through the steps of one command. */
export class Draft {
  text: string;
  readonly created: NodeId[] = [];
  private readonly before: string;
  private readonly lists: TextEdit[][] = [];
  private known: Tree | null = null;

  constructor(text: string) {
    this.text = this.before = text;
    if (this.source.mistakes.length > 0) throw new Refused({ key: "document.broken" });
  }

  get source(): Source {
    return parse(this.text);
  }

  get tree(): Tree {
    if (this.known?.source.text !== this.text) this.known = new Tree(this.source);
    return this.known;
  }

  /** Make changes where they are written. */
  write(changes: readonly Change[]): void {
    if (changes.length === 0) return;
    const { source } = this;
    let edits = splice(source, changes);
    if (source.anchors.size > 0) {
      // Anchors that go with what is changed leave aliases behind, which are written out before.
      const lost = missingAnchors(parse(applyEdits(this.text, edits)));
      if (lost.size > 0) {
        this.edit(splice(source, writtenOut(this.tree, lost)));
        edits = splice(this.source, changes);
      }
    }
    this.edit(edits);
  }

  edit(edits: TextEdit[]): void {
    if (edits.length === 0) return;
    this.lists.push(edits);
    this.text = applyEdits(this.text, edits);
    if (this.source.mistakes.length > 0) throw new Refused({ key: "document.would_break" });
  }

  /** Set values (undefined deletes) by paths as Compose sees them, never in the body of an anchor that leads there. */
  set(wishes: readonly { path: Path; value: unknown }[]): void {
    let ready: Change[] = [];
    for (const { path, value } of wishes) {
      const located = locate(this.tree, path, value);
      if (!located) continue;
      if (located.direct) ready.push(located.change);
      else {
        // What an alias stood for becomes text of its own: later wishes must see it.
        this.write(ready);
        ready = [];
        const again = locate(this.tree, path, value);
        if (again) this.write([again.change]);
      }
    }
    this.write(ready);
  }

  value(path: Path): unknown {
    const place = this.tree.at(path);
    return place ? this.tree.plain(place) : undefined;
  }

  done(label: Message): Applied {
    return { ok: true, edits: compose(this.before.length, ...this.lists), label, created: this.created };
  }
}
