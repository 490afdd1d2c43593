import { create } from "zustand";

import { api, newKey, ProblemError, take as answered, takeAll, Unreachable } from "../api/client";
import type { Boot } from "../app/boot";
import type { NodeId } from "../document/types";
import { t } from "../i18n";
import { useDocument } from "../store/document";
import { type LivePaint, usePaint } from "../store/paint";
import { NodeIndex } from "../store/problems";
import { useView } from "../store/view";
import { type Drift, type Happening, isLive, type LogLine, paintOf, settled, take, type Watched } from "./reduce";
import { refreshDeployments, useTargets } from "./targets";

const PAINT_MS = 100; // events come by the hundred; cards are painted ten times a second
const AGAIN_MS = 3_000;
const STEPS_MS = 300;
const TYPES = ["operation.state", "step.state", "step.progress", "step.log"] as const;
const MOST_WATCHED = 12;

interface LiveStore {
  watched: Record<string, Watched>;
  /** Deployments whose event stream is cut at present: what is shown may be old. */
  lost: Record<string, boolean>;
  problems: Record<string, ProblemError | Unreachable>;
  /** The deployment that somebody wants to see on the canvas, where a region has several. */
  wanted: string | null;
}

/** Deployments of the design as they run; cards look at usePaint.live, panels look here. */
export const useLive = create<LiveStore>()(() => ({ watched: {}, lost: {}, problems: {}, wanted: null }));

interface Watch {
  stream: EventSource | null;
  timers: Set<ReturnType<typeof setTimeout>>;
  reading: boolean;
  /** Asked for while it was being read. */
  wanted: boolean;
}

const watches = new Map<string, Watch>();
let painting: ReturnType<typeof setTimeout> | null = null;

/** Begin to watch what the page was opened for; returns what ends all watching. */
export function startLive(boot: Boot): () => void {
  if (boot.mode !== "draft") return () => undefined;
  if (boot.deployment) {
    useView.getState().set({ panel: "live" });
    useLive.setState({ wanted: boot.deployment });
    void watch(boot.deployment).then(() => usePaint.getState().set({ mode: "live" }));
  }
  // Its cards may be drawn after its states have come, or be renamed.
  const stop = useDocument.subscribe((now, before) => {
    if (now.drawing !== before.drawing) repaint();
  });
  const awake = () => {
    if (document.visibilityState !== "visible") return;
    const { lost } = useLive.getState();
    for (const [id, { stream }] of watches) if (!stream || lost[id]) void refresh(id);
  };
  document.addEventListener("visibilitychange", awake);
  window.addEventListener("online", awake);
  // The actions know this module, so they are loaded after it.
  let unregister = (): void => undefined;
  let ended = false;
  void import("./actions").then(({ registerDeployActions }) => {
    if (!ended) unregister = registerDeployActions(boot);
  });
  return () => {
    ended = true;
    unregister();
    stop();
    document.removeEventListener("visibilitychange", awake);
    window.removeEventListener("online", awake);
    for (const id of [...watches.keys()]) unwatch(id);
    if (painting !== null) clearTimeout(painting);
    painting = null;
    useLive.setState({ watched: {}, lost: {}, problems: {}, wanted: null });
  };
}

/** Watch the deployments that the design has; those that are watched already go on. */
export async function watchAll(): Promise<void> {
  const running = useTargets.getState().deployments.filter(({ state }) => state !== "destroyed");
  await Promise.all(running.slice(0, MOST_WATCHED).map(({ id }) => watch(id)));
}

export async function watch(id: string): Promise<void> {
  if (watches.has(id)) return;
  watches.set(id, { stream: null, timers: new Set(), reading: false, wanted: false });
  await refresh(id);
}

/** Watch a deployment to which something was just begun: what was known of it is old. */
export async function watchAnew(id: string): Promise<void> {
  await (watches.has(id) ? refresh(id) : watch(id));
}

export function unwatch(id: string): void {
  const watched = watches.get(id);
  if (!watched) return;
  watched.stream?.close();
  watched.timers.forEach(clearTimeout);
  watches.delete(id);
  const { [id]: _gone, ...rest } = useLive.getState().watched;
  useLive.setState({ watched: rest });
  repaint();
}

/** Read a deployment anew, and follow its operation when one is under way. */
export async function refresh(id: string): Promise<void> {
  const mine = watches.get(id);
  if (!mine) return;
  if (mine.reading) {
    mine.wanted = true;
    return;
  }
  mine.reading = true;
  try {
    const canvas = await answered(api.GET("/api/v1/deployments/{id}/canvas/", { params: { path: { id } } }));
    const before = useLive.getState().watched[id];
    const operationId = canvas.operation?.id ?? null;
    const same = before?.operation?.id === operationId;
    let operation = null;
    let steps: Watched["steps"] = new Map();
    if (operationId !== null) {
      const [detail, rows] = await Promise.all([
        answered(api.GET("/api/v1/operations/{id}/", { params: { path: { id: operationId } } })),
        stepsOf(operationId),
      ]);
      operation = detail;
      steps = rows;
    }
    if (watches.get(id) !== mine) return;
    put(id, {
      canvas, operation, steps,
      logs: same && before ? before.logs : new Map(),
      // What the steps say is at least as new as the number that was read before them.
      seq: Math.max(canvas.operation?.last_seq ?? 0, same ? before?.seq ?? 0 : 0),
      drift: operation === null ? before?.drift ?? null : null,
    });
    forgive(id);
    if (isLive(operation) && operationId !== null) {
      if (mine.stream && useLive.getState().lost[id]) {
        mine.stream.close(); // the browser's own patience may be long
        mine.stream = null;
      }
      follow(id, operationId);
    }
    else {
      mine.stream?.close();
      mine.stream = null;
      lost(id, false);
    }
  } catch (error) {
    if (watches.get(id) !== mine) return;
    useLive.setState({ problems: { ...useLive.getState().problems, [id]: error as ProblemError | Unreachable } });
    if (!(error instanceof ProblemError) || error.status >= 500) later(mine, () => void refresh(id), AGAIN_MS * 3);
  } finally {
    mine.reading = false;
    if (mine.wanted) {
      mine.wanted = false;
      later(mine, () => void refresh(id), STEPS_MS);
    }
  }
}

async function stepsOf(operation: string): Promise<Watched["steps"]> {
  const rows = await takeAll((cursor) => api.GET("/api/v1/operations/{id}/steps/", { params: { path: { id: operation }, query: { cursor, limit: 500 } } }), 20_000);
  return new Map(rows.map((step) => [step.key, step]));
}

function put(id: string, watched: Watched): void {
  useLive.setState({ watched: { ...useLive.getState().watched, [id]: watched } });
  repaint();
}

function forgive(id: string): void {
  const { [id]: _gone, ...problems } = useLive.getState().problems;
  useLive.setState({ problems });
}

function lost(id: string, is: boolean): void {
  if ((useLive.getState().lost[id] ?? false) !== is) useLive.setState({ lost: { ...useLive.getState().lost, [id]: is } });
}

function later(mine: Watch, act: () => void, ms: number): void {
  const timer = setTimeout(() => {
    mine.timers.delete(timer);
    act();
  }, ms);
  mine.timers.add(timer);
}

/** Follow the events of an operation. The browser comes back by itself with the last id when the stream is cut. */
function follow(id: string, operation: string): void {
  const mine = watches.get(id);
  if (!mine || mine.stream) return;
  const seq = useLive.getState().watched[id]?.seq ?? 0;
  const stream = new EventSource(`/api/v1/operations/${encodeURIComponent(operation)}/events/?after=${seq}`);
  mine.stream = stream;
  let asked = false;
  const again = (ms: number): void => {
    if (asked) return;
    asked = true;
    later(mine, () => {
      asked = false;
      void refresh(id);
    }, ms);
  };
  const receive = (message: MessageEvent<string>): void => {
    lost(id, false);
    const watched = useLive.getState().watched[id];
    if (!watched || watches.get(id) !== mine) return;
    let event: Happening;
    try {
      event = JSON.parse(message.data) as Happening;
    } catch {
      return;
    }
    const taken = take(watched, event);
    put(id, taken.watched);
    if (taken.unknown) again(STEPS_MS); // a rollback adds steps
    if (event.type === "operation.state" && taken.watched.operation && !isLive(taken.watched.operation)) {
      stream.close();
      mine.stream = null;
      again(STEPS_MS);
      void refreshDeployments(taken.watched.canvas.deployment.blueprint.id).catch(() => undefined);
    }
  };
  for (const type of TYPES) stream.addEventListener(type, receive as EventListener);
  stream.addEventListener("open", () => lost(id, false));
  stream.addEventListener("error", () => {
    if (watches.get(id) !== mine || mine.stream !== stream) return;
    lost(id, true);
    if (stream.readyState !== EventSource.CLOSED) return;
    // Closed for good, by the end or by a failure: what is read next tells which.
    mine.stream = null;
    again(AGAIN_MS);
  });
}

/** Put a deployment on the canvas, in place of others of its region. */
export function showOnCanvas(id: string): void {
  useLive.setState({ wanted: id });
  usePaint.getState().set({ mode: "live" });
  repaint();
}

/** One deployment a region can be painted: the one that was asked for, else one that is being worked on, else the newest. */
export function shownOf({ watched, wanted }: Pick<LiveStore, "watched" | "wanted">): Watched[] {
  const order = useTargets.getState().deployments.map(({ id }) => id);
  const rank = (one: Watched): [number, number] => {
    const { id } = one.canvas.deployment;
    const at = order.indexOf(id);
    return [id === wanted ? 0 : isLive(one.operation) ? 1 : 2, at < 0 ? order.length : at];
  };
  const best = new Map<string, Watched>();
  for (const one of Object.values(watched)) {
    if (one.canvas.deployment.state === "destroyed") continue; // what was meant to go is not missing
    const { region } = one.canvas.deployment;
    const before = best.get(region);
    const [mine, other] = [rank(one), before ? rank(before) : null];
    if (!other || mine[0] < other[0] || (mine[0] === other[0] && mine[1] < other[1])) best.set(region, one);
  }
  return [...best.values()];
}

function repaint(): void {
  painting ??= setTimeout(() => {
    painting = null;
    const { drawing } = useDocument.getState();
    const nodes = new NodeIndex(drawing);
    const painted: Record<NodeId, LivePaint> = {};
    for (const watched of shownOf(useLive.getState())) Object.assign(painted, paintOf(watched, nodes));
    const { live, set } = usePaint.getState();
    const next = settled(live, painted);
    if (next !== live) set({ live: next });
  }, PAINT_MS);
}

/** Ask the cloud how it differs from what was deployed. */
export async function checkDrift(id: string): Promise<Drift> {
  const drift = await answered(api.GET("/api/v1/deployments/{id}/drift/", { params: { path: { id } } }));
  const watched = useLive.getState().watched[id];
  if (watched) put(id, { ...watched, drift });
  return drift;
}

/** Stop, go on with, or take back an operation. */
export async function steer(id: string, what: "cancel" | "retry" | "rollback", revert = false): Promise<void> {
  const operation = useLive.getState().watched[id]?.operation;
  if (!operation) return;
  const params = { path: { id: operation.id } };
  const headers = { "Idempotency-Key": newKey() };
  if (what === "cancel") await answered(api.POST("/api/v1/operations/{id}/cancel/", { params, headers, body: { mode: revert ? "revert" : "stop" } }));
  else if (what === "retry") await answered(api.POST("/api/v1/operations/{id}/retry/", { params, headers }));
  else await answered(api.POST("/api/v1/operations/{id}/rollback/", { params, headers }));
  await refresh(id);
}

/** Remove everything that a deployment made. */
export async function destroy(id: string, key: string): Promise<void> {
  await answered(api.DELETE("/api/v1/deployments/{id}/", { params: { path: { id } }, headers: { "Idempotency-Key": key } }));
  await refresh(id);
}

/** The log of the steps on one service; those that were written before the watching began are read now. */
export async function logOf(id: string, service: string): Promise<LogLine[]> {
  const watched = useLive.getState().watched[id];
  const operation = watched?.operation?.id ?? (await answered(api.GET("/api/v1/deployments/{id}/", { params: { path: { id } } }))).operation;
  if (!operation) return [];
  const steps = watched?.operation ? watched.steps : await stepsOf(operation);
  const events: Happening[] = [];
  let after = 0;
  for (let pages = 0; pages < 20; pages++) {
    const page = await answered(api.GET("/api/v1/operations/{id}/events/", { params: { path: { id: operation }, query: { after, limit: 500 } } }));
    if (typeof page === "string") break; // a stream, which nobody asked for
    events.push(...page.results);
    const last = page.results[page.results.length - 1];
    if (!page.next || !last) break;
    after = last.seq;
  }
  return events.flatMap(({ type, step_key, seq, at, data }) => {
    const step = steps.get(step_key ?? "");
    if (!step?.services.includes(service)) return [];
    const line = lineOf(type, step.title, data);
    return line === "" ? [] : [{ seq, at, line }];
  });
}

/** What an event says in a log: the step's own lines, and when it began, ended, or failed and why. */
function lineOf(type: string, title: string, data: unknown): string {
  const told = (data ?? {}) as { line?: unknown; state?: unknown; message?: unknown; error?: { message?: unknown } | null };
  if (type === "step.log") return String(told.line ?? "");
  if (type !== "step.state") return "";
  if (told.state === "running") return t("deploy.step.begun", { title });
  if (told.state === "succeeded") return t("deploy.step.done", { title });
  if (told.state === "failed" || told.state === "parked") {
    return t("deploy.step.failed", { title, reason: String(told.error?.message ?? told.message ?? "") });
  }
  return "";
}
