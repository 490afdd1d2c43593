import type { Applied, Command, Derived, DrawingDiff, Merge, Path } from "../document/types";

/** What the document worker is asked; texts are sent whole (a megabyte costs about a millisecond). */
export type Request =
  | { ask: "derive"; text: string }
  | { ask: "apply"; text: string; command: Command }
  | { ask: "compare"; before: string; after: string }
  | { ask: "merge"; base: string; mine: string; theirs: string }
  | { ask: "copy"; text: string; nodes: string[] }
  | { ask: "read"; text: string; paths: Path[] };

export interface Answers {
  derive: Derived;
  apply: Applied;
  compare: DrawingDiff;
  merge: Omit<Merge, "resolve">;
  copy: string;
  /** Per path: the plain value, and the YAML text of the body without its indentation. */
  read: { value: unknown; yaml: string }[];
}

export type Answer<R extends Request> = Answers[R["ask"]];
