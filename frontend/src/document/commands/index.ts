/** Gestures become edits of the text. */
import { smallestSplice } from "../edits";
import { Draft } from "../draft";
import { Refused } from "../locate";
import { TooMuch } from "../tree";
import type { Applied, Command } from "../types";
import { add } from "./add";
import { connect } from "./connect";
import { collapse, comment, commentEdit } from "./notes";
import { duplicate, group, paste } from "./paste";
import { place, unplace } from "./place";
import { remove } from "./remove";
import { rename } from "./rename";
import { fix, set, setMany, setYaml } from "./set";

/** Carry out a command on a text: the edits, or why nothing was changed. What comes out can be parsed. */
export function apply(text: string, command: Command): Applied {
  try {
    return carryOut(text, command);
  } catch (error) {
    if (error instanceof Refused) return { ok: false, refused: error.refusal };
    if (error instanceof TooMuch || error instanceof RangeError) return { ok: false, refused: { key: "document.too_much" } };
    throw error;
  }
}

function carryOut(text: string, command: Command): Applied {
  // A text may be replaced whatever state it is in: that is how one gets out of a broken one.
  if (command.do === "replace") return { ok: true, edits: smallestSplice(text, command.text), label: command.label, created: [] };
  const draft = new Draft(text);
  switch (command.do) {
    case "place": return place(draft, command);
    case "unplace": return unplace(draft, command);
    case "add": return add(draft, command);
    case "remove": return remove(draft, command);
    case "rename": return rename(draft, command);
    case "connect": return connect(draft, command);
    case "set": return set(draft, command);
    case "set_many": return setMany(draft, command);
    case "set_yaml": return setYaml(draft, command);
    case "fix": return fix(draft, command);
    case "paste": return paste(draft, command);
    case "duplicate": return duplicate(draft, command);
    case "group": return group(draft, command);
    case "collapse": return collapse(draft, command);
    case "comment": return comment(draft, command);
    case "comment_edit": return commentEdit(draft, command);
  }
}
