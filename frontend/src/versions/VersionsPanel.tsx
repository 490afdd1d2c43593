import "./versions.css";

import { lazy, Suspense, useCallback, useEffect, useMemo, useState } from "react";

import { type ProblemError, Unreachable } from "../api/client";
import type { Boot } from "../app/boot";
import { Banner, Button, Dialog, EmptyState, Icon, IconButton, Select, Skeleton } from "../app/controls";
import { useTargets } from "../deploy/targets";
import type { DrawingNode } from "../document/types";
import { t } from "../i18n";
import { moment, sinceWords } from "../i18n/time";
import { useDocument } from "../store/document";
import { useSync } from "../store/sync";
import { useView } from "../store/view";
import { compareTexts, endComparison, loadVersions, restore, type Side, useDiff, type Version } from "./diff";

const TextDiff = lazy(() => import("./TextDiff").then((module) => ({ default: module.TextDiff })));

/** What was saved of the design: look, compare any two, bring one back. */
export function VersionsPanel({ boot }: { boot: Boot }) {
  const blueprint = useSync((sync) => sync.blueprint) ?? boot.blueprint;
  const base = useSync((sync) => sync.baseVersion);
  const [versions, setVersions] = useState<Version[] | null>(null);
  const [next, setNext] = useState<string | undefined>(undefined);
  const [error, setError] = useState<ProblemError | Unreachable | null>(null);
  const [asText, setAsText] = useState(false);
  const readOnly = useDocument((state) => state.readOnly);

  const load = useCallback(async (cursor?: string) => {
    if (!blueprint) return;
    try {
      const page = await loadVersions(blueprint.id, cursor);
      setVersions((known) => (cursor ? [...(known ?? []), ...page.results] : page.results));
      setNext(page.next ? new URL(page.next, location.origin).searchParams.get("cursor") ?? undefined : undefined);
      setError(null);
    } catch (problem) {
      setError(problem as ProblemError | Unreachable);
    }
  }, [blueprint]);
  // A version that was just saved belongs to the list.
  useEffect(() => void load(), [load, base]);
  useEffect(() => endComparison, []);

  if (!blueprint) {
    return (
      <EmptyState
        icon="versions" title={t("editor.no_versions")}
        actions={readOnly ? undefined : <Button tone="primary" onClick={() => useView.getState().set({ dialog: "save" })}>{t("editor.save_design")}</Button>}
      >
        {t("editor.no_versions_text")}
      </EmptyState>
    );
  }
  if (error && versions === null) return <Failed error={error} again={() => void load()} />;
  if (versions === null) return <Skeleton />;
  return (
    <section className="d-versions" aria-label={t("editor.versions")}>
      <Compare versions={versions} onText={() => setAsText(true)} />
      <ol className="d-version-list">
        {versions.map((version) => <Row key={version.id} version={version} boot={boot} blueprint={blueprint.id} isBase={version.number === base} readOnly={readOnly} />)}
      </ol>
      {error ? <Failed error={error} again={() => void load(next)} /> : null}
      {next ? <Button small onClick={() => void load(next)}>{t("editor.older_versions")}</Button> : null}
      {asText ? <AsText onClose={() => setAsText(false)} /> : null}
    </section>
  );
}

function Failed({ error, again }: { error: ProblemError | Unreachable; again: () => void }) {
  const words = error instanceof Unreachable ? t("editor.sync_help.offline") : `${error.title}. ${error.advice}`;
  return <Banner tone="danger" role="alert" actions={<Button small icon="refresh" onClick={again}>{t("editor.try_now")}</Button>}><p>{words}</p></Banner>;
}

function Row({ version, boot, blueprint, isBase, readOnly }: { version: Version; boot: Boot; blueprint: string; isBase: boolean; readOnly: boolean }) {
  const text = useDocument((state) => state.text);
  const compare = (): void => void compareTexts(version.number, "now", { before: version.compose, after: text });
  const back = (): void => {
    restore(version);
    useView.getState().say({ key: "editor.restored_version", params: { version: version.number } });
  };
  const same = version.compose === text;
  const deployments = useTargets((targets) => targets.deployments);
  const running = deployments.filter((one) => one.state !== "destroyed" && one.version === version.number);
  return (
    <li>
      <div className="d-version-head">
        <a className="d-version-number" href={`${boot.urls.designs.replace(/\/?$/, "/")}${blueprint}/versions/${version.number}/`}>{t("editor.version", { version: version.number })}</a>
        {isBase ? <span className="tag">{t("editor.based_on")}</span> : null}
        {same ? <span className="tag">{t("editor.same_text")}</span> : null}
        {running.map(({ id, name }) => <span key={id} className="tag">{t("editor.runs_as", { name })}</span>)}
      </div>
      {version.message ? <p className="d-version-message">{version.message}</p> : null}
      <p className="d-version-who">
        {version.created_by ? <span>{version.created_by}</span> : null}
        <time dateTime={version.created_at} title={moment(version.created_at)}>{sinceWords(version.created_at)}</time>
      </p>
      {same ? null : (
        <div className="row row-wrap">
          <Button small icon="git-compare" onClick={compare}>{t("editor.compare_now")}</Button>
          {readOnly ? null : <Button small icon="history" onClick={back}>{t("editor.restore")}</Button>}
        </div>
      )}
    </li>
  );
}

function Compare({ versions, onText }: { versions: Version[]; onText: () => void }) {
  const { before, after, diff, removedNodes } = useDiff();
  const text = useDocument((state) => state.text);
  const textOf = (side: Side): string => (side === "now" ? text : versions.find(({ number }) => number === side)?.compose ?? "");
  const [from, setFrom] = useState<Side>(versions[0]?.number ?? "now");
  const [to, setTo] = useState<Side>("now");
  useEffect(() => {
    if (before !== null) {
      setFrom(before);
      setTo(after);
    }
  }, [before, after]);
  // What is drawn goes on; the comparison with it follows.
  useEffect(() => {
    if (before !== null && after === "now") {
      const timer = setTimeout(() => void compareTexts(before, "now", { before: textOf(before), after: text }), 300);
      return () => clearTimeout(timer);
    }
    return undefined;
  }, [text]);
  const options = useMemo(
    () => [{ value: "now", label: t("editor.drawn_now") }, ...versions.map(({ number }) => ({ value: String(number), label: t("editor.version", { version: number }) }))],
    [versions],
  );
  const side = (value: string): Side => (value === "now" ? "now" : Number(value));
  const counts = { added: 0, changed: 0, removed: 0 };
  for (const { change } of diff?.nodes ?? []) counts[change]++;
  return (
    <div className="d-compare">
      <div className="d-compare-sides">
        <Select aria-label={t("editor.compare_from")} value={String(from)} options={options} onChange={(value) => setFrom(side(value))} />
        <Icon name="arrow-narrow-right" label={t("editor.compared_with")} />
        <Select aria-label={t("editor.compare_to")} value={String(to)} options={options} onChange={(value) => setTo(side(value))} />
        <Button small aria-disabled={from === to} onClick={() => from !== to && void compareTexts(from, to, { before: textOf(from), after: textOf(to) })}>{t("editor.compare")}</Button>
      </div>
      {diff ? (
        <div className="d-compared" role="status">
          <p>
            {diff.nodes.length + diff.edges.length === 0 ? t("editor.no_difference") : null}
            {(["added", "changed", "removed"] as const).filter((change) => counts[change] > 0).map((change) => (
              <span key={change} className={`d-tally is-${change}`}>{t(`editor.diff.${change}`, { count: counts[change] })}</span>
            ))}
            {diff.edges.length > 0 ? <span className="d-tally">{t("editor.diff.edges", { count: diff.edges.length })}</span> : null}
          </p>
          <Removed nodes={removedNodes} />
          <div className="row row-wrap">
            <Button small icon="file-code" onClick={onText}>{t("editor.as_text")}</Button>
            <Button small tone="plain" icon="x" onClick={endComparison}>{t("editor.end_comparison")}</Button>
          </div>
        </div>
      ) : null}
    </div>
  );
}

/** What is gone has no card on the canvas, so it is named here. */
function Removed({ nodes }: { nodes: DrawingNode[] }) {
  if (nodes.length === 0) return null;
  return (
    <div>
      <h3>{t("editor.removed_nodes")}</h3>
      <ul className="d-removed">
        {nodes.map((node) => <li key={node.id}><span className="tag">{t(`editor.kind.${node.kind}`)}</span> <del>{node.name}</del></li>)}
      </ul>
    </div>
  );
}

function AsText({ onClose }: { onClose: () => void }) {
  const { before, after, texts } = useDiff();
  const [beside, setBeside] = useState(() => matchMedia("(min-width: 900px)").matches);
  if (!texts || before === null) return null;
  const name = (side: Side) => (side === "now" ? t("editor.drawn_now") : t("editor.version", { version: side }));
  return (
    <Dialog wide className="d-text-diff" title={t("editor.text_diff", { before: name(before), after: name(after) })} onClose={onClose}>
      <div className="row">
        <IconButton icon="layout-columns" label={t("editor.side_by_side")} pressed={beside} onClick={() => setBeside(!beside)} />
      </div>
      <Suspense fallback={<Skeleton lines={12} />}>
        <TextDiff before={texts.before} after={texts.after} beside={beside} labels={[name(before), name(after)]} />
      </Suspense>
    </Dialog>
  );
}
