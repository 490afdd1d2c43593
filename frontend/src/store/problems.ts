import type { Finding } from "../api/problem";
import { say, t } from "../i18n";
import type { Drawing, DrawingNode, NodeId, Path, Problem, Severity, Span, TextEdit } from "../document/types";

/** How one key fares on the target, as previews and plans tell it. */
export interface LedgerEntry {
  path: readonly unknown[];
  verdict: "honoured" | "approximated" | "dropped";
  reason: string;
  code: string;
  line: number | null;
}

const RANK: Record<Severity, number> = { error: 0, warning: 1, info: 2 };
const LEDGER_SEVERITY = { dropped: "warning", approximated: "info" } as const;

function pathOf(path: readonly unknown[]): Path {
  return path.filter((part): part is string | number => typeof part === "string" || typeof part === "number");
}

/** Find nodes by the paths of the drawing; the deepest node that a path leads into is the one. */
export class NodeIndex {
  private readonly byPath = new Map<string, DrawingNode>();
  readonly byId = new Map<NodeId, DrawingNode>();

  constructor(drawing: Drawing) {
    for (const node of drawing.nodes) {
      this.byPath.set(JSON.stringify(node.path), node);
      this.byId.set(node.id, node);
    }
  }

  at(path: Path): DrawingNode | undefined {
    for (let length = path.length; length > 1; length--) {
      const node = this.byPath.get(JSON.stringify(path.slice(0, length)));
      if (node) return node;
    }
    return undefined;
  }

  /**
   * The node of a resource key: `machine:front`, `volume:data`; a pool's machines have its name with a number. On a
   * further cloud of a deployment the key starts with the part's name: `ireland/machine:front`.
   */
  ofResource(whole: string): NodeId | undefined {
    const key = whole.replace(/^[\w-]+\/(?=[a-z]+:)/, "");
    if (this.byId.has(key as NodeId)) return key as NodeId;
    const pool = /^(machine:.+)-\d+$/.exec(key)?.[1] as NodeId | undefined;
    const node = pool === undefined ? undefined : this.byId.get(pool);
    return node?.kind === "machine" && node.count > 1 ? node.id : undefined;
  }
}

/** Where the lines of a text begin. */
export function lineStarts(text: string): number[] {
  const starts = [0];
  for (let at = text.indexOf("\n"); at !== -1; at = text.indexOf("\n", at + 1)) starts.push(at + 1);
  return starts;
}

/** From a place to the end of its line; places that the text does not have give undefined. */
function spanAt(text: string, starts: readonly number[], line: number | null, column: number | null): Span | undefined {
  const start = line === null ? undefined : starts[line - 1];
  if (line === null || start === undefined) return undefined;
  let end = (starts[line] ?? text.length + 1) - 1;
  if (text[end - 1] === "\r") end--;
  let from = Math.min(start + Math.max(0, (column ?? 1) - 1), end);
  if (column === null) while (from < end && (text[from] === " " || text[from] === "\t")) from++;
  return { from, to: Math.max(from, end) };
}

interface Against {
  text: string;
  starts: readonly number[];
  nodes: NodeIndex;
}

/** Prepare to place findings on a text and the drawing that was derived from it. */
export function against(text: string, drawing: Drawing): Against {
  return { text, starts: lineStarts(text), nodes: new NodeIndex(drawing) };
}

export function problemOfFinding(finding: Finding, where: Against, source: "server" | "plan" = "server"): Problem {
  const path = pathOf(finding.path);
  const node = where.nodes.at(path);
  return {
    severity: finding.severity,
    code: finding.code,
    text: finding.message,
    ...(finding.hint ? { hint: finding.hint } : {}),
    path,
    span: spanAt(where.text, where.starts, finding.line, finding.column) ?? node?.span,
    node: node?.id,
    source,
    ...(finding.fix?.length
      ? { fixes: finding.fix.map(({ title, edits }) => ({ title, edits: edits.map((edit) => ({ ...edit, path: pathOf(edit.path) })) })) }
      : {}),
  };
}

/** What the target does not do as it is written; undefined for what it honours. */
export function problemOfLedger(entry: LedgerEntry, where: Against): Problem | undefined {
  if (entry.verdict === "honoured") return undefined;
  const path = pathOf(entry.path);
  const node = where.nodes.at(path);
  // An item of a list has no name of its own: `secrets` is told, not `0`.
  const key = String(path.findLast((part) => typeof part === "string") ?? "");
  return {
    severity: LEDGER_SEVERITY[entry.verdict],
    code: entry.code,
    text: t(`editor.ledger.${entry.verdict}`, { key, reason: entry.reason }),
    path,
    span: spanAt(where.text, where.starts, entry.line, null) ?? node?.span,
    node: node?.id,
    source: "ledger",
  };
}

/** Move places along with what was changed since they were found; those inside a change stay at its beginning. */
export function shift(problems: readonly Problem[], edits: readonly TextEdit[]): Problem[] {
  if (edits.length === 0) return [...problems];
  const move = (at: number): number => {
    let by = 0;
    for (const { from, to, insert } of edits) {
      if (at < from) break;
      if (at < to) return from + by;
      by += insert.length - (to - from);
    }
    return at + by;
  };
  return problems.map((problem) =>
    problem.span ? { ...problem, span: { from: move(problem.span.from), to: Math.max(move(problem.span.from), move(problem.span.to)) } } : problem,
  );
}

/** Say each thing once, the worst first; what several sources say of one place is told by the first of them. */
export function unique(problems: readonly Problem[]): Problem[] {
  const seen = new Set<string>();
  return problems.filter((problem) => {
    const key = JSON.stringify([problem.severity, problem.code, problem.path, say(problem.text)]);
    return seen.has(key) ? false : seen.add(key);
  });
}

export function sorted(problems: readonly Problem[]): Problem[] {
  return [...problems].sort(
    (a, b) => RANK[a.severity] - RANK[b.severity] || (a.span?.from ?? Infinity) - (b.span?.from ?? Infinity) || 0,
  );
}

/** Lay problems out by the node that shows them; those of no node, or of one that is not drawn, are loose. */
export function arrange(problems: readonly Problem[], drawing: Drawing): { problems: Record<NodeId, Problem[]>; loose: Problem[] } {
  const known = new Set<NodeId>(drawing.nodes.map(({ id }) => id));
  const byNode: Record<NodeId, Problem[]> = {};
  const loose: Problem[] = [];
  for (const problem of sorted(unique(problems))) {
    if (problem.node && known.has(problem.node)) (byNode[problem.node] ??= []).push(problem);
    else loose.push(problem);
  }
  return { problems: byNode, loose };
}

/** All problems that are painted, the worst first. */
export function allOf(paint: { problems: Record<NodeId, Problem[]>; loose: Problem[] }): Problem[] {
  return sorted([...Object.values(paint.problems).flat(), ...paint.loose]);
}
