import "./deploy.css";

import { memo, useDeferredValue, useEffect, useMemo, useState } from "react";

import { newKey, type ProblemError, type Unreachable } from "../api/client";
import type { Boot } from "../app/boot";
import { Banner, Button, Dialog, EmptyState, Field, Icon, Skeleton } from "../app/controls";
import { say, t } from "../i18n";
import { moment, sinceWords } from "../i18n/time";
import { useDocument } from "../store/document";
import { usePaint } from "../store/paint";
import { NodeIndex } from "../store/problems";
import { useSync } from "../store/sync";
import { useView } from "../store/view";
import { checkDrift, destroy, refresh, showOnCanvas, shownOf, steer, useLive, watchAll } from "./live";
import { STATE_ICONS } from "./icons";
import { Problem } from "./Problem";
import { ServiceLive } from "./ServiceLive";
import { driftedIn, isLive, paintOf, percentOf, type Watched } from "./reduce";
import { registerLiveSection } from "./section";
import { loadTargets, useTargets } from "./targets";

registerLiveSection();

/** What runs of the design: its state, what is being done to it, and how it differs from what was deployed. */
export function LivePanel({ boot }: { boot: Boot }) {
  const blueprint = useSync((sync) => sync.blueprint);
  const deployments = useTargets((targets) => targets.deployments);
  const known = useTargets((targets) => targets.clouds !== null);
  const error = useTargets((targets) => targets.error);
  const { watched, problems } = useLive();
  const ids = Object.keys(watched);
  const selection = useView((view) => view.selection);
  const picked = selection.length === 1 && selection[0]?.startsWith("service:") ? selection[0].slice("service:".length) : null;

  useEffect(() => void loadTargets(blueprint?.id ?? null), [blueprint?.id]);
  useEffect(() => {
    void watchAll().then(() => {
      const { mode, set } = usePaint.getState();
      if (mode === "none" && Object.keys(useLive.getState().watched).length > 0) set({ mode: "live" });
    });
  }, [deployments]);

  const failed = Object.entries(problems).filter(([id]) => !watched[id]);
  if (ids.length === 0 && failed.length === 0) {
    if (error && !known) return <Problem error={error} again={() => void loadTargets(blueprint?.id ?? null)} />;
    if (!known || deployments.length > 0) return <Skeleton lines={6} />;
    return (
      <EmptyState
        icon="rocket" title={t("deploy.nothing_runs")}
        actions={boot.may.deploy ? <Button tone="primary" onClick={() => useView.getState().set({ panel: "plan" })}>{t("deploy.to_plan")}</Button> : undefined}
      >
        {t("deploy.nothing_runs_text")}
      </EmptyState>
    );
  }
  return (
    <div className="d-live">
      {picked ? <ServiceLive service={picked} /> : null}
      {failed.map(([id, problem]) => <Problem key={id} error={problem} again={() => void refresh(id)} />)}
      {ids.map((id) => <One key={id} id={id} boot={boot} />)}
    </div>
  );
}

function One({ id, boot }: { id: string; boot: Boot }) {
  const watched = useLive((live) => live.watched[id]);
  const lost = useLive((live) => live.lost[id] ?? false);
  const problem = useLive((live) => live.problems[id]);
  const base = useSync((sync) => sync.baseVersion);
  const all = useLive((live) => live.watched);
  const wanted = useLive((live) => live.wanted);
  const [asking, setAsking] = useState(false);
  // Events come by the hundred, and the list may be long: it follows when there is time.
  const calm = useDeferredValue(watched);
  if (!watched || !calm) return null;
  const others = Object.values(all).some((one) => one !== watched && one.canvas.deployment.region === watched.canvas.deployment.region);
  const shown = shownOf({ watched: all, wanted }).includes(watched);
  const { deployment } = watched.canvas;
  const live = isLive(watched.operation);
  return (
    <section className="d-where" aria-label={deployment.name}>
      <h3>
        <a href={`/deployments/${id}/`}>{deployment.name}</a>
        <span className="tag">{t(`deploy.state.${deployment.state}`)}</span>
        {others && shown ? <span className="quiet small"><Icon name="map-pin" small /> {t("deploy.on_canvas")}</span> : null}
      </h3>
      <p className="quiet small">
        {t("deploy.on_cloud", { cloud: deployment.cloud.name })}
        {deployment.region ? ` · ${deployment.region}` : ""} · {t("editor.version", { version: deployment.version })}
      </p>
      {deployment.cloud.ok === false ? <Banner tone="warning"><p>{t("deploy.cloud_down", { cloud: deployment.cloud.name })}</p></Banner> : null}
      {base !== null && base !== deployment.version ? <p className="quiet small">{t("deploy.other_version", { runs: deployment.version, drawn: base })}</p> : null}
      {problem ? <Problem error={problem} again={() => void refresh(id)} /> : null}
      {watched.operation ? <Work id={id} watched={watched} lost={lost} may={boot.may.deploy} /> : null}
      <Summary watched={calm} />
      {watched.drift ? <DriftFound watched={watched} /> : null}
      {boot.may.deploy && deployment.state !== "destroyed" ? (
        <div className="row row-wrap">
          {others && !shown ? <Button small icon="map-pin" onClick={() => showOnCanvas(id)}>{t("deploy.show_on_canvas")}</Button> : null}
          {live ? null : <DriftButton id={id} />}
          {live ? null : <Button small tone="danger" icon="trash" onClick={() => setAsking(true)}>{t("deploy.destroy")}</Button>}
        </div>
      ) : null}
      {asking ? <Destroying id={id} watched={watched} onClose={() => setAsking(false)} /> : null}
    </section>
  );
}

/** The operation: how far it is, one error explained, and what can be done about it. */
function Work({ id, watched, lost, may }: { id: string; watched: Watched; lost: boolean; may: boolean }) {
  const [busy, setBusy] = useState(false);
  const [refused, setRefused] = useState<ProblemError | Unreachable | null>(null);
  const { operation } = watched;
  if (!operation) return null;
  const live = isLive(operation);
  const percent = percentOf(watched);
  const act = (what: "cancel" | "retry" | "rollback", revert = false) => async (): Promise<void> => {
    if (busy) return;
    setBusy(true);
    setRefused(null);
    try {
      await steer(id, what, revert);
    } catch (error) {
      setRefused(error as ProblemError | Unreachable);
    } finally {
      setBusy(false);
    }
  };
  const error = operation.error;
  return (
    <div className="d-work">
      <div className="d-work-head">
        <span>{t(`deploy.operation.${operation.state}`)}</span>
        <span className="num">{live ? t("deploy.percent", { percent }) : ""}</span>
      </div>
      {live ? <progress max={100} value={percent} aria-label={t("deploy.progress", { name: watched.canvas.deployment.name })} /> : null}
      {lost ? <p className="quiet small" role="status"><Icon name="cloud-off" small /> {t("deploy.stream_lost")}</p> : null}
      {error ? (
        <Banner tone="danger" role="alert">
          <h3>{error.title || t("deploy.failed")}</h3>
          <p>{error.message} {error.hint ?? ""}</p>
          <code className="code">{error.code}</code>
        </Banner>
      ) : null}
      {refused ? <Problem error={refused} /> : null}
      <div className="row row-wrap">
        {may && operation.can.retry ? <Button small tone="primary" icon="rotate-clockwise" aria-disabled={busy} onClick={() => void act("retry")()}>{t("deploy.retry")}</Button> : null}
        {may && operation.can.rollback ? <Button small icon="arrow-back-up" aria-disabled={busy} onClick={() => void act("rollback")()}>{t("deploy.rollback")}</Button> : null}
        {may && live && operation.can.cancel ? <Button small icon="hand-stop" aria-disabled={busy} onClick={() => void act("cancel")()}>{t("deploy.cancel")}</Button> : null}
        <a className="button small plain" href={`/operations/${operation.id}/`}>{t("deploy.operation_page")}</a>
      </div>
    </div>
  );
}

const Summary = memo(function Summary({ watched }: { watched: Watched }) {
  const services = Object.entries(watched.canvas.services);
  const drawn = useDocument((state) => state.drawing);
  const nodes = useMemo(() => new NodeIndex(drawn), [drawn]);
  const live = useMemo(() => paintOf(watched, nodes), [watched, nodes]);
  return (
    <ul className="d-states">
      {services.map(([name, service]) => {
        const id = `service:${name}` as const;
        const { state, message } = live[id] ?? { state: service.state, message: "" };
        return (
          <li key={name} className={`is-${state}`}>
            <Icon name={STATE_ICONS[state]} small label={t(`deploy.live.${state}`)} />
            {nodes.byId.has(id) ? <button type="button" className="d-problem-go" onClick={() => useView.getState().show(id)}>{name}</button> : <span>{name}</span>}
            <span className="quiet small clip">{message || t(`deploy.live.${state}`)}</span>
          </li>
        );
      })}
    </ul>
  );
});

function DriftButton({ id }: { id: string }) {
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState<ProblemError | Unreachable | null>(null);
  const look = async (): Promise<void> => {
    if (busy) return;
    setBusy(true);
    setProblem(null);
    try {
      const drift = await checkDrift(id);
      useView.getState().say({ key: drift.drifted ? "deploy.drifted" : "deploy.not_drifted" });
      usePaint.getState().set({ mode: "live" });
    } catch (error) {
      setProblem(error as ProblemError | Unreachable);
    } finally {
      setBusy(false);
    }
  };
  return (
    <>
      <Button small icon="git-compare" aria-disabled={busy} onClick={() => void look()}>{t(busy ? "deploy.looking" : "deploy.check_drift")}</Button>
      {problem ? <Problem error={problem} /> : null}
    </>
  );
}

function DriftFound({ watched }: { watched: Watched }) {
  const drawing = useDocument((state) => state.drawing);
  const nodes = useMemo(() => new NodeIndex(drawing), [drawing]);
  const { drift } = watched;
  if (!drift) return null;
  const when = <time dateTime={drift.checked_at} title={moment(drift.checked_at)}>{sinceWords(drift.checked_at)}</time>;
  if (!drift.drifted && drift.machines.every(({ state, differences }) => state === "running" && differences.length === 0)) {
    return <p className="d-calm"><Icon name="circle-check" small /> {t("deploy.not_drifted")} {when}</p>;
  }
  const cards = driftedIn(drift, nodes);
  return (
    <Banner tone="warning" role="status">
      <h3>{t("deploy.drifted")}</h3>
      <ul className="d-found">
        {cards.map(([id, cause]) => (
          <li key={id}><button type="button" className="link-button" onClick={() => useView.getState().show(id)}>{t("deploy.drift_of", { name: id.slice(id.indexOf(":") + 1), cause })}</button></li>
        ))}
        {drift.findings.map((finding, at) => <li key={at}>{say(finding.message)}</li>)}
      </ul>
      <p>{t("deploy.drift_mend")} {when}</p>
    </Banner>
  );
}

function Destroying({ id, watched, onClose }: { id: string; watched: Watched; onClose: () => void }) {
  const { name } = watched.canvas.deployment;
  const [typed, setTyped] = useState("");
  const [key] = useState(newKey);
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState<ProblemError | Unreachable | null>(null);
  const machines = watched.canvas.machines.filter(({ state }) => state !== "missing");
  const act = async (): Promise<void> => {
    if (busy || typed.trim() !== name) return;
    setBusy(true);
    try {
      await destroy(id, key);
      usePaint.getState().set({ mode: "live" });
      onClose();
    } catch (error) {
      setProblem(error as ProblemError | Unreachable);
      setBusy(false);
    }
  };
  return (
    <Dialog
      title={t("deploy.destroy_title", { name })} onClose={onClose} onSubmit={() => void act()}
      footer={
        <>
          <Button tone="plain" onClick={onClose}>{t("editor.cancel")}</Button>
          <Button type="submit" tone="danger-fill" icon="trash" aria-disabled={busy || typed.trim() !== name}>{t("deploy.destroy_do", { count: machines.length })}</Button>
        </>
      }
    >
      <p>{t("deploy.destroy_text", { name })}</p>
      <ul className="d-removed">{machines.map((machine) => <li key={machine.key}><Icon name="server" small /> {machine.name}</li>)}</ul>
      <Field label={t("deploy.type_to_confirm", { name })}>
        {(ids) => <input {...ids} className="input mono" data-first value={typed} autoComplete="off" autoCapitalize="off" spellCheck={false} onChange={(event) => setTyped(event.target.value)} />}
      </Field>
      {problem ? <Problem error={problem} /> : null}
    </Dialog>
  );
}
