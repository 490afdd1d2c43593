/** A finding as the server gives it; `line` and `column` begin with 1. */
export interface Finding {
  code: string;
  severity: "error" | "warning" | "info";
  message: string;
  path: readonly unknown[];
  line: number | null;
  column: number | null;
  hint: string;
  fix?: { title: string; edits: { op: "set" | "delete" | "rename"; path: readonly unknown[]; value?: unknown }[] }[];
}

/** A refusal of the server: what, why, what now. `members` is the whole problem document. */
export class ProblemError extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    readonly title: string,
    readonly detail: string,
    readonly hint: string,
    readonly members: Readonly<Record<string, unknown>>,
  ) {
    super([title, detail].filter(Boolean).join(" "));
    this.name = "ProblemError";
  }

  get findings(): Finding[] {
    return Array.isArray(this.members.findings) ? (this.members.findings as Finding[]) : [];
  }

  /** What comes after the title: why, and what to do. */
  get advice(): string {
    return [this.detail, this.hint].filter((part) => part.trim()).join(" ");
  }
}

/** The server was not reached, or is not able to answer at present: the same request may succeed later. */
export class Unreachable extends Error {
  constructor(readonly status: number | null) {
    super(status === null ? "the portal cannot be reached" : `the portal answered ${status}`);
    this.name = "Unreachable";
  }
}

/** Read an answer that is no success; a proxy's page in place of a problem document becomes one. */
export async function problemOf(response: Response): Promise<ProblemError> {
  let members: Record<string, unknown> = {};
  try {
    const body: unknown = await response.json();
    if (body !== null && typeof body === "object") members = body as Record<string, unknown>;
  } catch {
    // not ours: the status is all there is
  }
  const word = (name: string, otherwise: string) => (typeof members[name] === "string" ? (members[name] as string) : otherwise);
  const code = word("code", `http.${response.status}`);
  return new ProblemError(response.status, code, word("title", code), word("detail", ""), word("hint", ""), members);
}
