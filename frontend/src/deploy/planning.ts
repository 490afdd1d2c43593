import { create } from "zustand";

import { api, newKey, ProblemError, type Schemas, take, Unreachable } from "../api/client";
import type { Boot } from "../app/boot";
import type { NodeId } from "../document/types";
import { t } from "../i18n";
import { useDocument } from "../store/document";
import { type PlannedChange, usePaint } from "../store/paint";
import { against, type NodeIndex } from "../store/problems";
import { saveVersion, useSync } from "../store/sync";
import { useView } from "../store/view";
import { watchAnew } from "./live";
import { refreshDeployments, regionsOf, type Target, targetOf, useTargets } from "./targets";

export type Plan = Schemas["PlanDetail"];
export type Change = Schemas["Change"];

export interface PlanOf {
  region: string;
  plan: Plan | null;
  error: ProblemError | Unreachable | null;
  /** The deployment that starting it made. */
  started: string | null;
}

interface PlansState {
  plans: PlanOf[];
  /** The text that was planned: what was drawn since is not in the plans. */
  text: string | null;
  busy: "planning" | "starting" | null;
  problem: ProblemError | Unreachable | null;
}

const NONE: PlansState = { plans: [], text: null, busy: null, problem: null };

export const usePlans = create<PlansState>()(() => NONE);

/** What most deserves to be seen when several things happen to one card. */
const RANK: readonly PlannedChange[] = ["delete", "replace", "create", "update", "keep"];

/** What plans do to the cards, with the causes; what has no card is in the panel's list. */
export function paintOfPlans(plans: readonly Pick<Plan, "changes" | "services">[], nodes: NodeIndex) {
  const painted: Record<NodeId, { change: PlannedChange; causes: string[]; dataLoss: boolean }> = {};
  const put = (id: NodeId, change: PlannedChange, cause: string, dataLoss: boolean): void => {
    const before = painted[id];
    if (!before) painted[id] = { change, causes: cause ? [cause] : [], dataLoss };
    else {
      if (RANK.indexOf(change) < RANK.indexOf(before.change)) before.change = change;
      if (cause && !before.causes.includes(cause)) before.causes.push(cause);
      before.dataLoss ||= dataLoss;
    }
  };
  for (const { changes, services } of plans) {
    for (const [name, fate] of Object.entries(services)) {
      if (fate.change !== null) put(`service:${name}`, fate.change, "", false);
    }
    for (const change of changes) {
      const own = nodes.ofResource(change.resource);
      if (own) put(own, change.change, change.change === "keep" ? "" : change.cause, change.data_loss);
      if (change.change === "keep") continue;
      for (const name of change.services) {
        const id: NodeId = `service:${name}`;
        // The service's own fate was told; what happens below it is its cause.
        if (painted[id]) put(id, "keep", change.cause, change.data_loss);
      }
    }
  }
  return painted;
}

function paint(plans: readonly PlanOf[]): void {
  const { text, drawing } = useDocument.getState();
  const made = plans.flatMap(({ plan }) => (plan ? [plan] : []));
  usePaint.getState().set({ mode: "plan", plan: paintOfPlans(made, against(text, drawing).nodes) });
}

/** Take the plans off the canvas. */
export function forgetPlans(): void {
  usePlans.setState(NONE);
  const { mode, set } = usePaint.getState();
  set({ plan: {}, ...(mode === "plan" ? { mode: "none" } : {}) });
}

export function chosenTargets(boot: Boot): { region: string; title: string; clouds: string[]; target: Target }[] {
  const targets = useTargets.getState();
  return regionsOf(useDocument.getState().drawing).map((region) => {
    const target = targetOf(region, targets, boot.deployment);
    return { region: region.name, title: region.title, clouds: target.drawn ? region.clouds ?? [] : [target.cloud], target };
  });
}

/** Save what is drawn, plan each region for its cloud, and paint the plans. */
export async function makePlans(boot: Boot): Promise<void> {
  if (usePlans.getState().busy) return;
  const wanted = chosenTargets(boot).filter(({ target }) => target.cloud);
  if (wanted.length === 0) return;
  const { draft, blueprint, name } = useSync.getState();
  const { text, drawing } = useDocument.getState();
  const called = name || drawing.name;
  if (!blueprint && !called) {
    useView.getState().say({ key: "deploy.name_first" });
    useView.getState().set({ dialog: "save", afterSave: () => void makePlans(boot) });
    return;
  }
  usePlans.setState({ busy: "planning", problem: null });
  try {
    let source: { version?: string; blueprint?: string } = blueprint ? { blueprint: blueprint.id } : {};
    if (draft !== null || !blueprint) {
      const clouds = [...new Set(wanted.flatMap(({ clouds }) => clouds))].join(", ");
      const answer = await saveVersion({ ...(blueprint ? {} : { name: called }), message: t("deploy.planned_for", { clouds }) });
      if (!answer.ok) {
        usePlans.setState({ problem: answer.problem ?? (answer.state === "offline" ? new Unreachable(null) : null) });
        if (!answer.problem) useView.getState().say({ key: `editor.sync_help.${answer.state}` }, "refused");
        return;
      }
      source = { version: answer.saved.versionId };
    }
    const plans = await Promise.all(wanted.map(({ region, target }) => planFor(source, region, target)));
    usePlans.setState({ plans, text });
    paint(plans);
  } finally {
    usePlans.setState({ busy: null });
  }
}

async function planFor(source: { version?: string; blueprint?: string }, region: string, target: Target): Promise<PlanOf> {
  const { cloud, deployment, drawn, images, name } = target;
  const body = {
    ...source, ...(drawn ? {} : { cloud }),
    ...(region ? { region } : {}), ...(deployment ? { deployment } : name ? { name } : {}), ...(Object.keys(images).length ? { images } : {}),
  };
  try {
    const plan = await take(api.POST("/api/v1/plans/", { body, headers: { "Idempotency-Key": newKey() } }));
    return { region, plan, error: null, started: null };
  } catch (error) {
    if (!(error instanceof ProblemError || error instanceof Unreachable)) throw error;
    return { region, plan: null, error, started: null };
  }
}

export const startable = ({ plan, started }: PlanOf): boolean => plan !== null && !plan.blocked && !plan.empty && started === null;

const keys = new Map<string, string>();

/** Start the plans that can be started, and watch what they do. */
export async function startPlans(acceptDataLoss: boolean): Promise<void> {
  const { busy, plans } = usePlans.getState();
  if (busy) return;
  usePlans.setState({ busy: "starting", problem: null });
  try {
    const after = await Promise.all(plans.map((one) => (startable(one) ? start(one, acceptDataLoss) : one)));
    usePlans.setState({ plans: after });
    const started = after.flatMap(({ started: id }) => (id ? [id] : []));
    if (started.length === 0) return;
    const { blueprint } = useSync.getState();
    if (blueprint) void refreshDeployments(blueprint.id).catch(() => undefined);
    await Promise.all(started.map((id) => watchAnew(id)));
    usePaint.getState().set({ mode: "live" });
    if (after.every((one) => one.error === null)) {
      useView.getState().set({ panel: "live" });
      usePlans.setState(NONE);
      usePaint.getState().set({ plan: {} });
    }
  } finally {
    usePlans.setState({ busy: null });
  }
}

async function start(one: PlanOf, acceptDataLoss: boolean): Promise<PlanOf> {
  const plan = one.plan as Plan;
  // The same key for the same plan: when an answer is lost, the second try finds what the first began.
  const key = keys.get(plan.id) ?? newKey();
  keys.set(plan.id, key);
  const body = { plan: plan.id, accept_data_loss: acceptDataLoss && plan.data_loss.length > 0 };
  try {
    const deployment = await take(api.POST("/api/v1/deployments/", { body, headers: { "Idempotency-Key": key } }));
    return { ...one, error: null, started: deployment.id };
  } catch (error) {
    if (!(error instanceof ProblemError || error instanceof Unreachable)) throw error;
    return { ...one, error };
  }
}

/** Services that only say how to build: they need an image from elsewhere before they can run. */
export function buildOnly(): string[] {
  return useDocument.getState().drawing.nodes.flatMap((node) => (node.kind === "service" && node.build && !node.image ? [node.name] : []));
}

/** How many machines the startable plans touch, and whether any of them exists already. */
export function extent(plans: readonly PlanOf[]): { machines: number; updates: boolean; dataLoss: string[] } {
  let machines = 0;
  let updates = false;
  const dataLoss: string[] = [];
  for (const one of plans) {
    if (!one.plan || !startable(one)) continue;
    machines += one.plan.changes.filter(({ kind, change }) => kind === "machine" && change !== "keep").length;
    updates ||= one.plan.deployment !== null;
    dataLoss.push(...one.plan.data_loss);
  }
  return { machines, updates, dataLoss };
}
