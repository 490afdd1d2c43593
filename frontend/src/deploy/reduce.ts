import type { Schemas } from "../api/client";
import type { NodeId } from "../document/types";
import { say, t } from "../i18n";
import type { LivePaint, LiveState } from "../store/paint";
import type { NodeIndex } from "../store/problems";

export type Canvas = Schemas["Canvas"];
export type Operation = Schemas["OperationDetail"];
export type Step = Schemas["Step"];
export type Drift = Schemas["Drift"];

/** Something that happened to an operation. */
export interface Happening {
  seq: number;
  at: string;
  type: string;
  step_key?: string;
  data?: unknown;
}

export interface LogLine {
  seq: number;
  at: string;
  line: string;
}

/** What is known of one deployment while it is watched. */
export interface Watched {
  canvas: Canvas;
  operation: Operation | null;
  steps: ReadonlyMap<string, Step>;
  /** Log lines by step, the newest last. */
  logs: ReadonlyMap<string, readonly LogLine[]>;
  seq: number;
  drift: Drift | null;
}

export const ENDS: ReadonlySet<string> = new Set(["succeeded", "failed", "cancelled", "reverted", "revert_failed"]);
const FAILED = new Set(["failed", "parked", "revert_failed"]);
const BUSY = new Set(["running", "waiting", "reverting"]);
const OPEN = new Set(["pending", "ready"]);
const DONE = new Set(["succeeded", "reverted"]);
/** The state of a service, the one that is told first when its machines differ. */
const WORST: readonly LiveState[] = ["failed", "working", "pending", "missing", "stopped", "drifted", "unknown", "running"];
const KEPT_LINES = 500;

export const isLive = (operation: { state: string } | null): boolean => operation !== null && !ENDS.has(operation.state);

const record = (value: unknown): Record<string, unknown> => (value !== null && typeof value === "object" ? (value as Record<string, unknown>) : {});
const word = (value: unknown): string => (typeof value === "string" ? value : "");

/** Take one event in; what was seen already changes nothing. `unknown` says that the steps must be read again. */
export function take(watched: Watched, event: Happening): { watched: Watched; unknown: boolean } {
  if (event.seq <= watched.seq) return { watched, unknown: false };
  const next: Watched = { ...watched, seq: event.seq };
  const data = record(event.data);
  if (event.type === "operation.state") {
    if (next.operation) next.operation = { ...next.operation, state: word(data.state) as Operation["state"] };
    return { watched: next, unknown: false };
  }
  const key = event.step_key ?? "";
  if (event.type === "step.log") {
    const lines = next.logs.get(key) ?? [];
    const line: LogLine = { seq: event.seq, at: event.at, line: word(data.line) || word(data.message) };
    next.logs = new Map(next.logs).set(key, [...lines.slice(1 - KEPT_LINES), line]);
    return { watched: next, unknown: false };
  }
  const step = next.steps.get(key);
  if (!step) return { watched: next, unknown: true };
  const changed: Step = { ...step };
  if (event.type === "step.state") {
    changed.state = word(data.state) as Step["state"];
    const error = record(data.error);
    if (word(error.message)) (changed as { error: Step["error"] }).error = { code: word(error.code), message: word(error.message), hint: word(error.hint) };
    if (changed.state === "succeeded") changed.progress = 100;
  }
  if (typeof data.progress === "number") changed.progress = data.progress;
  if (word(data.message)) changed.message = word(data.message);
  next.steps = new Map(next.steps).set(key, changed);
  return { watched: next, unknown: false };
}

/** Whole steps, and the percentages of those under way, as the server counts them. */
export function percentOf({ operation, steps }: Watched): number {
  if (!operation) return 100;
  if (operation.state === "succeeded" || operation.state === "reverted") return 100;
  const undoing = operation.state.startsWith("revert");
  const counted = [...steps.values()].filter((step) => (step.undoes !== null) === undoing);
  if (counted.length === 0) return operation.percent;
  const sum = counted.reduce((total, step) => total + (DONE.has(step.state) || step.state === "skipped" ? 100 : BUSY.has(step.state) ? step.progress ?? 0 : 0), 0);
  return Math.min(99, Math.floor(sum / counted.length));
}

function stateOf(states: ReadonlySet<string>, live: boolean, recorded: LiveState): LiveState {
  const some = (of: ReadonlySet<string>) => [...states].some((state) => of.has(state));
  if (some(FAILED)) return "failed";
  if (!live || states.size === 0) return recorded;
  if (some(BUSY)) return "working";
  if (some(OPEN)) return some(DONE) ? "working" : "pending";
  return recorded;
}

/** What the steps on one thing say together: the error, else what is being done, else nothing. */
function told(steps: readonly Step[], state: LiveState): { message: string; percent: number | null } {
  if (state === "failed") {
    const failed = steps.find((step) => FAILED.has(step.state));
    return { message: failed?.error?.message ?? failed?.message ?? "", percent: null };
  }
  if (state !== "working") return { message: "", percent: null };
  const busy = steps.find((step) => BUSY.has(step.state));
  const sum = steps.reduce((total, step) => total + (DONE.has(step.state) ? 100 : BUSY.has(step.state) ? step.progress ?? 0 : 0), 0);
  return { message: busy ? busy.message || busy.title : "", percent: steps.length ? Math.floor(sum / steps.length) : null };
}

/** Paint one deployment: its services, the machines and pools that are drawn, and what has drifted. */
export function paintOf(watched: Watched, nodes: NodeIndex): Record<NodeId, LivePaint> {
  const { canvas, operation, drift } = watched;
  const live = isLive(operation);
  const undoing = operation?.state.startsWith("revert") ?? false;
  // Once a rollback runs, what counts are its steps.
  const steps = operation === null || operation.state === "succeeded" ? [] : [...watched.steps.values()].filter((step) => (step.undoes !== null) === undoing);
  const machines = new Map<string, LiveState>();
  const painted: Record<NodeId, LivePaint> = {};
  for (const machine of canvas.machines) {
    const own = steps.filter((step) => step.resource === machine.key);
    const state = stateOf(new Set(own.map((step) => step.state)), live, machine.state);
    machines.set(machine.key, state);
    const node = nodes.ofResource(machine.key);
    if (!node) continue;
    const paint = { state, ...told(own, state) };
    const before = painted[node];
    if (!before || WORST.indexOf(state) < WORST.indexOf(before.state)) painted[node] = paint;
  }
  for (const [name, service] of Object.entries(canvas.services)) {
    const id: NodeId = `service:${name}`;
    const own = steps.filter((step) => step.services.includes(name));
    const standing = service.machines.map(({ key, state }) => machines.get(key) ?? state);
    const worst = WORST.find((state) => standing.includes(state)) ?? "missing";
    const mine = stateOf(new Set(own.map((step) => step.state)), live, worst);
    const state = WORST.indexOf(mine) < WORST.indexOf(worst) ? mine : worst;
    painted[id] = { state, ...told(own, state) };
  }
  if (drift && !live) for (const [id, message] of driftedIn(drift, nodes)) {
    const before = painted[id];
    if (before === undefined || before.state === "running" || before.state === "unknown") painted[id] = { state: "drifted", message, percent: null };
  }
  return painted;
}

/** Cards that differ from what was deployed, with the reason in words. */
export function driftedIn(drift: Drift, nodes: NodeIndex): [NodeId, string][] {
  const found = new Map<NodeId, string>();
  for (const change of drift.changes) {
    for (const service of change.services) found.set(`service:${service}`, change.cause);
    const node = nodes.ofResource(change.resource);
    if (node) found.set(node, change.cause);
  }
  for (const machine of drift.machines) {
    if (machine.state === "running" && machine.differences.length === 0) continue;
    const words = machine.differences.length > 0
      ? machine.differences.map(({ what, applied, found: now }) => t(`deploy.differs.${what}`, { applied, found: now })).join(" ")
      : t(`deploy.machine.${machine.state}`, { name: machine.name });
    const node = nodes.ofResource(machine.key);
    if (node) found.set(node, words);
    for (const [name, service] of Object.entries(drift.services)) {
      if (service.machines.includes(machine.key) && !found.has(`service:${name}`)) found.set(`service:${name}`, words);
    }
  }
  return [...found].map(([id, message]) => [id, say(message)]);
}

/** Keep the entries that say the same: a card whose state did not change is not drawn again. */
export function settled(before: Record<NodeId, LivePaint>, after: Record<NodeId, LivePaint>): Record<NodeId, LivePaint> {
  let same = Object.keys(before).length === Object.keys(after).length;
  const merged: Record<NodeId, LivePaint> = {};
  for (const [key, paint] of Object.entries(after)) {
    const id = key as NodeId;
    const old = before[id];
    if (old && old.state === paint.state && old.message === paint.message && old.percent === paint.percent) merged[id] = old;
    else {
      merged[id] = paint;
      same = false;
    }
  }
  return same ? before : merged;
}
