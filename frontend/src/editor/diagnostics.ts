import type { Action, Diagnostic } from "@codemirror/lint";
import type { Text } from "@codemirror/state";

import type { Problem } from "../document/types";
import { say, t } from "../i18n";
import { useDocument } from "../store/document";
import { mend } from "./mend";
import type { Breaks } from "./offsets";

/** More than this is of no help to anybody, and slow to draw. */
const MOST = 500;

/** Problems as the editor shows them, on their first line; those without a place are for the list alone. */
export function diagnosticsOf(problems: readonly Problem[], breaks: Breaks, doc: Text): Diagnostic[] {
  const found: Diagnostic[] = [];
  const { length } = doc;
  for (const problem of problems) {
    if (!problem.span || found.length >= MOST) continue;
    const from = Math.min(breaks.toDoc(problem.span.from), length);
    // What is said of a whole service need not underline all of it.
    const to = Math.min(Math.max(from, breaks.toDoc(problem.span.to)), doc.lineAt(from).to);
    found.push({
      from, to, severity: problem.severity, source: problem.code,
      message: [say(problem.text), problem.hint].filter(Boolean).join(" "),
      renderMessage: () => message(problem),
      actions: useDocument.getState().readOnly ? [] : (problem.fixes ?? []).map((fix): Action => ({ name: say(fix.title), apply: () => void mend(fix) })),
    });
  }
  return found.sort((a, b) => a.from - b.from || a.to - b.to);
}

function message(problem: Problem): HTMLElement {
  const box = document.createElement("div");
  box.className = "d-cm-message";
  const severity = document.createElement("strong");
  severity.textContent = t(`editor.severity.${problem.severity}`);
  const words = document.createElement("p");
  words.textContent = say(problem.text);
  box.append(severity, words);
  if (problem.hint) {
    const hint = document.createElement("p");
    hint.className = "d-cm-hint";
    hint.textContent = problem.hint;
    box.append(hint);
  }
  const code = document.createElement("code");
  code.textContent = problem.code;
  box.append(code);
  return box;
}
