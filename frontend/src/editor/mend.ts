import { perform } from "../app/gestures";
import type { Fix } from "../document/types";

/** Carry out a mend, and say what was done, or why it was refused. */
export async function mend(fix: Fix): Promise<void> {
  await perform({ do: "fix", fix });
}
