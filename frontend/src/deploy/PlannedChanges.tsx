import { useMemo, useState } from "react";

import type { Boot } from "../app/boot";
import { Banner, Button, Field, Icon } from "../app/controls";
import { t } from "../i18n";
import { useDocument } from "../store/document";
import { NodeIndex } from "../store/problems";
import { useView } from "../store/view";
import { CloudFigures, Crossings } from "./Across";
import { CHANGE_ICONS, Counts, LedgerCounts } from "./figures";
import { type Change, extent, type PlanOf, startable, startPlans, usePlans } from "./planning";
import { Problem } from "./Problem";
import type { Region } from "./targets";
import { useTargets } from "./targets";

const ORDER = ["delete", "replace", "create", "update", "keep"] as const;

interface Props {
  boot: Boot;
  regions: Region[];
  outdated: boolean;
  again: () => void;
  back: () => void;
}

/** What the plans do, grouped, each with its cause; what destroys data has to be typed. */
export function PlannedChanges({ regions, outdated, again, back }: Props) {
  const { plans, busy, problem } = usePlans();
  const drawing = useDocument((state) => state.drawing);
  const nodes = useMemo(() => new NodeIndex(drawing), [drawing]);
  const { machines, updates, dataLoss } = extent(plans);
  const names = [...new Set(plans.filter(startable).flatMap(({ plan }) => (plan ? [plan.deployment_name] : [])))].join(" ");
  const [typed, setTyped] = useState("");
  const any = plans.some(startable);
  const confirmed = dataLoss.length === 0 || typed.trim() === names;
  const stale = plans.some(({ error }) => error !== null && "code" in error && error.code === "plan.stale");
  const label = busy === "starting" ? t("deploy.starting")
    : machines === 0 ? t("deploy.apply")
    : t(updates ? "deploy.update_do" : "deploy.deploy_do", { count: machines });
  return (
    <section className="d-plan" aria-label={t("deploy.plan")} aria-busy={busy !== null}>
      <div className="row d-plan-back">
        <Button small tone="plain" icon="chevron-left" onClick={back}>{t("deploy.back")}</Button>
        <Button small icon="refresh" aria-disabled={busy !== null} onClick={again}>{t("deploy.plan_again")}</Button>
      </div>
      {outdated ? <Banner tone="warning" role="status"><p>{t("deploy.outdated")}</p></Banner> : null}
      {plans.map((one) => <OnePlan key={one.region} one={one} nodes={nodes} region={regions.find(({ name }) => name === one.region)} />)}
      {problem ? <Problem error={problem} /> : null}
      {dataLoss.length > 0 && any ? (
        <div className="d-loss" role="group" aria-label={t("deploy.loss")}>
          <h3><Icon name="alert-octagon" /> {t("deploy.loss")}</h3>
          <p>{t("deploy.loss_text", { count: dataLoss.length, names: dataLoss.join(", ") })}</p>
          <Field label={t("deploy.type_to_confirm", { name: names })}>
            {(ids) => <input {...ids} className="input mono" value={typed} autoComplete="off" autoCapitalize="off" spellCheck={false} onChange={(event) => setTyped(event.target.value)} />}
          </Field>
        </div>
      ) : null}
      {any ? (
        <div className="d-plan-foot">
          <Button
            tone={dataLoss.length > 0 ? "danger-fill" : "primary"} icon="rocket" aria-disabled={!confirmed || outdated || stale || busy !== null}
            onClick={() => confirmed && !outdated && !stale && void startPlans(dataLoss.length > 0)}
          >
            {label}
          </Button>
        </div>
      ) : null}
    </section>
  );
}

function OnePlan({ one, region, nodes }: { one: PlanOf; region: Region | undefined; nodes: NodeIndex }) {
  const { plan, error } = one;
  const clouds = useTargets((targets) => targets.clouds);
  const services = Object.values(plan?.services ?? {}).filter(({ change }) => change !== null && change !== "delete").length;
  return (
    <section className="d-where">
      <h3>
        {region?.title ? <><Icon name="map-pin" /> {region.title}</> : null}
        {plan ? <span className="quiet">{t(plan.deployment ? "deploy.updates" : "deploy.creates", { name: plan.deployment_name, cloud: plan.clouds.map(({ name }) => name).join(", ") })}</span> : null}
      </h3>
      {error ? <Problem error={error} /> : null}
      {plan ? (
        <>
          <Counts counts={plan.counts} />
          {plan.findings.filter(({ severity }) => severity !== "info").map((finding, at) => (
            <Banner key={at} tone={finding.severity === "error" ? "danger" : "warning"}><p>{finding.message} {finding.hint}</p></Banner>
          ))}
          {ORDER.map((change) => <Group key={change} change={change} nodes={nodes} changes={plan.changes.filter((each) => each.change === change)} />)}
          <CloudFigures parts={plan.parts} machines={plan.machines} price={plan.price} roomOf={({ cloud }) => clouds?.find(({ name }) => name === cloud.name)?.capacity ?? null} />
          <Crossings crossings={plan.crossings} />
          <LedgerCounts ledger={plan.ledger} />
          <p className="quiet small">{t("deploy.plan_services", { count: services })} <a href={`/plans/${plan.id}/`}>{t("deploy.plan_page")}</a></p>
        </>
      ) : null}
    </section>
  );
}

function Group({ change, changes, nodes }: { change: (typeof ORDER)[number]; changes: Change[]; nodes: NodeIndex }) {
  if (changes.length === 0) return null;
  const title = <><Icon name={CHANGE_ICONS[change] ?? "equal"} small /> {t(`deploy.count.${change}`, { count: changes.length })}</>;
  const list = <ul className="d-changes">{changes.map((each) => <Row key={each.resource} change={each} nodes={nodes} />)}</ul>;
  return (
    <details className={`d-plan-group is-${change}`} open={change !== "keep"}>
      <summary>{title}</summary>
      {list}
    </details>
  );
}

function Row({ change, nodes }: { change: Change; nodes: NodeIndex }) {
  const service = `service:${change.services[0] ?? ""}` as const;
  const node = nodes.ofResource(change.resource) ?? (nodes.byId.has(service) ? service : undefined);
  return (
    <li>
      {node ? (
        <button type="button" className="d-problem-go" onClick={() => useView.getState().show(node)}>{change.name}</button>
      ) : (
        <span>{change.name}</span>
      )}
      <span className="tag">{t(`deploy.kind.${change.kind}`)}</span>
      <p className="quiet">{change.cause}</p>
      {change.details.map(([what = "", before = "", after = ""], at) => (
        <p key={at} className="quiet small">{t("deploy.detail", { what, before: before || "–", after: after || "–" })}</p>
      ))}
      {change.data_loss ? <p className="d-loss-note"><Icon name="alert-octagon" small /> {t("deploy.data_goes")}</p> : null}
    </li>
  );
}
