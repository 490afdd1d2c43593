import { lazy, Suspense, useEffect, useMemo, useState } from "react";

import { Canvas } from "../canvas/Canvas";
import { startFlavours } from "../deploy/flavours";
import { startLive } from "../deploy/live";
import { t } from "../i18n";
import { Palette } from "../palette/Palette";
import { useDocument } from "../store/document";
import { startFindings } from "../store/findings";
import { startSync, useSync } from "../store/sync";
import { type SidePanel, useView } from "../store/view";
import type { Boot } from "./boot";
import { Broken, Empty } from "./CanvasStates";
import { Guard } from "./Guard";
import { Icon } from "./Icon";
import { installKeys } from "./keys";
import { Resizable } from "./Resizable";
import { StatusBar } from "./StatusBar";
import { Toolbar } from "./Toolbar";

const rest: (() => Promise<unknown>)[] = [() => import("yaml")];

/**
 * What the first view does not show comes when it is asked for, or when the browser has nothing else to do: once the
 * page has been open for a moment, all of it works without a connection.
 */
function later<M>(load: () => Promise<M>): () => Promise<M> {
  rest.push(load);
  return load;
}

const loadDialogs = later(() => import("./Dialogs"));
const Dialogs = lazy(() => loadDialogs().then((module) => ({ default: module.Dialogs })));
const loadOutline = later(() => import("../outline/Outline"));
const Outline = lazy(() => loadOutline().then((module) => ({ default: module.Outline })));
const loadPrintDrawing = later(() => import("../export/Print"));
const PrintDrawing = lazy(() => loadPrintDrawing().then((module) => ({ default: module.PrintDrawing })));
const loadInspector = later(() => import("../inspector/Inspector"));
const Inspector = lazy(() => loadInspector().then((module) => ({ default: module.Inspector })));
const loadCommentsPanel = later(() => import("../inspector/CommentsPanel"));
const CommentsPanel = lazy(() => loadCommentsPanel().then((module) => ({ default: module.CommentsPanel })));
const loadProblemsPanel = later(() => import("../editor/ProblemsPanel"));
const ProblemsPanel = lazy(() => loadProblemsPanel().then((module) => ({ default: module.ProblemsPanel })));
const loadPlanPanel = later(() => import("../deploy/PlanPanel"));
const PlanPanel = lazy(() => loadPlanPanel().then((module) => ({ default: module.PlanPanel })));
const loadLivePanel = later(() => import("../deploy/LivePanel"));
const LivePanel = lazy(() => loadLivePanel().then((module) => ({ default: module.LivePanel })));
const loadVersionsPanel = later(() => import("../versions/VersionsPanel"));
const VersionsPanel = lazy(() => loadVersionsPanel().then((module) => ({ default: module.VersionsPanel })));
const loadYamlPane = later(() => import("../editor/YamlPane"));
const YamlPane = lazy(() => loadYamlPane().then((module) => ({ default: module.YamlPane })));

const PANELS: { id: Exclude<SidePanel, null>; icon: string }[] = [
  { id: "inspector", icon: "adjustments" },
  { id: "problems", icon: "alert-triangle" },
  { id: "plan", icon: "list-check" },
  { id: "live", icon: "activity" },
  { id: "versions", icon: "history" },
  { id: "comments", icon: "message" },
];

/** Put the parts of the designer together: tools above, palette, canvas, panel, text, and a line of state below. */
export function Designer({ boot }: { boot: Boot }) {
  const panel = useView((view) => view.panel);
  const showYaml = useView((view) => view.showYaml);
  const showPalette = useView((view) => view.showPalette);
  const showOutline = useView((view) => view.showOutline);
  const phoneTab = useView((view) => view.phoneTab);
  const readOnly = useDocument((state) => state.readOnly);
  const ready = useDocument((state) => state.ready);

  useEffect(() => {
    useDocument.getState().open(boot.text, boot.mode !== "draft" || !boot.may.write);
    const stops = [installKeys(), startSync(boot), startFindings(boot), startFlavours(), startLive(boot)];
    return () => stops.forEach((stop) => stop());
  }, [boot]);

  const idle = useIdle();
  useEffect(() => {
    // One that cannot be fetched now is fetched when it is asked for.
    if (idle) for (const load of rest) void load().catch(() => undefined);
  }, [idle]);
  const panels = useMemo(
    () => PANELS.filter(({ id }) => boot.mode === "draft" || !["plan", "live", "versions"].includes(id)),
    [boot.mode],
  );

  return (
    <div className="d-shell" data-phone={phoneTab} data-yaml={showYaml} data-panel={panel !== null} data-left={showPalette || showOutline}>
      <Toolbar boot={boot} />
      {(showPalette || showOutline) && (
        <aside className="d-left" aria-label={showOutline ? t("shell.outline") : t("shell.palette")}>
          <div className="d-left-tabs" role="group" aria-label={t("shell.palette")}>
            {!readOnly && (
              <button type="button" aria-pressed={!showOutline} onClick={() => useView.getState().set({ showOutline: false, showPalette: true })}>
                {t("shell.palette")}
              </button>
            )}
            <button type="button" aria-pressed={showOutline || readOnly} onClick={() => useView.getState().set({ showOutline: true })}>
              {t("shell.outline")}
            </button>
          </div>
          <h2 className="visually-hidden">{showOutline || readOnly ? t("shell.outline") : t("shell.palette")}</h2>
          <Guard>
            <Suspense fallback={<Waiting />}>{showOutline || readOnly ? <Outline /> : <Palette />}</Suspense>
          </Guard>
        </aside>
      )}
      <section className="d-canvas" aria-label={t("shell.canvas")}>
        <Guard>
          <Canvas />
          {ready ? <Empty /> : <p className="d-loading" role="status">{t("shell.loading")}</p>}
          <Broken />
        </Guard>
      </section>
      <aside className="d-panel" aria-label={t("shell.panel")} data-open={panel !== null}>
        <PanelTabs panels={panels} current={panel} />
        {panel !== null && (
          <div className="d-panel-body" id="d-panel-body" role="tabpanel" aria-labelledby={`d-tab-${panel}`} tabIndex={-1}>
            {panel !== "inspector" && <h2 className="visually-hidden">{t(`shell.tab.${panel}`)}</h2>}
            <Guard key={panel}>
              <Suspense fallback={<Waiting />}>
                {panel === "inspector" && <Inspector />}
                {panel === "problems" && <ProblemsPanel />}
                {panel === "plan" && <PlanPanel boot={boot} />}
                {panel === "live" && <LivePanel boot={boot} />}
                {panel === "versions" && <VersionsPanel boot={boot} />}
                {panel === "comments" && <CommentsPanel />}
              </Suspense>
            </Guard>
          </div>
        )}
      </aside>
      {showYaml && (
        <Resizable>
          <Guard>
            <Suspense fallback={<Waiting />}>
              <YamlPane />
            </Suspense>
          </Guard>
        </Resizable>
      )}
      <StatusBar />
      <PhoneTabs />
      {idle && (
        <Suspense fallback={null}>
          <Dialogs boot={boot} />
          <Printed boot={boot} />
        </Suspense>
      )}
    </div>
  );
}

function Printed({ boot }: { boot: Boot }) {
  const name = useSync((sync) => sync.name) || boot.name || t("shell.untitled");
  const version = boot.mode !== "draft" && boot.version !== null ? t("shell.version", { number: boot.version }) : undefined;
  return <PrintDrawing title={name} version={version} />;
}

function Waiting() {
  return (
    <div className="skeleton d-waiting" aria-hidden="true">
      <span />
      <span />
      <span />
    </div>
  );
}

/** Turn true when the first view stands and the browser has time, or as soon as somebody asks for a dialog. */
function useIdle(): boolean {
  const asked = useView((view) => view.dialog !== null);
  const [idle, setIdle] = useState(false);
  useEffect(() => {
    // Safari has no idle callback yet.
    const timer = setTimeout(() => setIdle(true), 1_500);
    return () => clearTimeout(timer);
  }, []);
  return idle || asked;
}

function PanelTabs({ panels, current }: { panels: typeof PANELS; current: SidePanel }) {
  const move = (step: number) => {
    const at = panels.findIndex(({ id }) => id === current);
    const next = panels[(at + step + panels.length) % panels.length];
    if (!next) return;
    useView.getState().set({ panel: next.id });
    document.getElementById(`d-tab-${next.id}`)?.focus();
  };
  return (
    <div className="d-panel-head">
      <div
        className="d-panel-tabs"
        role="tablist"
        aria-label={t("shell.panel")} aria-orientation={current === null ? "vertical" : "horizontal"}
        onKeyDown={(event) => {
          if (event.key === "ArrowRight" || event.key === "ArrowDown") move(1);
          else if (event.key === "ArrowLeft" || event.key === "ArrowUp") move(-1);
          else return;
          event.preventDefault();
        }}
      >
        {panels.map(({ id, icon }) => (
          <button
            key={id} id={`d-tab-${id}`} type="button" role="tab" aria-selected={id === current} tabIndex={id === (current ?? panels[0]?.id) ? 0 : -1}
            aria-controls={current === null ? undefined : "d-panel-body"} title={t(`shell.tab.${id}`)} onClick={() => useView.getState().set({ panel: id })}
          >
            <Icon name={icon} />
            <span>{t(`shell.tab.${id}`)}</span>
          </button>
        ))}
      </div>
      {current !== null && (
        <button
          type="button" className="d-icon-button" aria-label={t("shell.close_panel")} title={t("shell.close_panel")}
          onClick={() => useView.getState().set({ panel: null, panelClosed: true })}
        >
          <Icon name="x" />
        </button>
      )}
    </div>
  );
}

function PhoneTabs() {
  const tab = useView((view) => view.phoneTab);
  const tabs = [
    { id: "canvas", icon: "topology-star-3", label: t("shell.canvas") },
    { id: "outline", icon: "list-tree", label: t("shell.outline") },
    { id: "panel", icon: "adjustments", label: t("shell.details") },
    { id: "yaml", icon: "code", label: t("shell.yaml") },
  ] as const;
  return (
    <nav className="d-phone-tabs" aria-label={t("shell.designer")}>
      {tabs.map(({ id, icon, label }) => (
        <button
          key={id} type="button" aria-current={tab === id ? "page" : undefined}
          onClick={() => {
            const view = useView.getState();
            if (id === "panel" && view.panel === null) view.set({ panel: "inspector" });
            view.set({ phoneTab: id, ...(id === "yaml" ? { showYaml: true } : {}), ...(id === "outline" ? { showPalette: true, showOutline: true } : {}) });
          }}
        >
          <Icon name={icon} />
          {label}
        </button>
      ))}
    </nav>
  );
}
