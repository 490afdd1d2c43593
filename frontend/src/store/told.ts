import type { ProblemError } from "../api/client";
import type { Merge, Message } from "../document/types";
import type { Copies } from "./copies";
import type { Server } from "./server";

export type SyncState = "saved" | "saving" | "dirty" | "offline" | "conflict" | "signed_out" | "too_large" | "refused";

/** Two texts that could not be joined by themselves; `version` is the newer one of the design, null for a draft. */
export interface Conflict {
  base: string;
  mine: string;
  theirs: string;
  conflicts: Merge["conflicts"];
  revision: number | null;
  version: number | null;
  by: string;
}

/** What the machine tells the page. */
export interface Told {
  state: SyncState;
  problem: ProblemError | null;
  draft: string | null;
  blueprint: { id: string; name: string } | null;
  baseVersion: number | null;
  name: string;
  savedAt: number | null;
  conflict: Conflict | null;
  /** Paths of what stands beside the text, also what is not sent yet; null while that is not known. */
  files: string[] | null;
}

export interface Surroundings {
  server: Server;
  copies: Copies;
  /** The text as it is, and a way to replace it as one step that can be taken back. */
  document: { text: () => string; put: (text: string, label: Message) => void };
  merge: (base: string, mine: string, theirs: string) => Promise<{ text: string; conflicts: Merge["conflicts"] }>;
  tell: (told: Partial<Told>) => void;
  /** For the live region: what happened by itself. */
  say: (message: Message) => void;
  /** Tell the other tabs what was written. */
  announce: (draft: string, revision: number, text: string) => void;
  /** Ids of other pages of this browser that are still open: their copies are theirs. */
  others: () => Promise<Set<string>>;
  now: () => number;
}
