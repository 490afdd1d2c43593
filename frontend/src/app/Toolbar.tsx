import { t, say } from "../i18n";
import { useDocument } from "../store/document";
import { usePaint } from "../store/paint";
import { SaveState } from "../store/SaveState";
import { useSync } from "../store/sync";
import { useView } from "../store/view";
import type { Boot } from "./boot";
import { canvasApi } from "./canvasApi";
import { step } from "./gestures";
import { Icon } from "./Icon";
import { showKeys } from "./keys";

const LAYERS = ["depends_on", "network", "volume", "config", "secret", "link", "ports"] as const;

/** The one row of tools: what this is, undo, view, commands, save and plan. */
export function Toolbar({ boot }: { boot: Boot }) {
  const view = useView.getState();
  const readOnly = useDocument((state) => state.readOnly);
  const showYaml = useView((state) => state.showYaml);
  const drawn = boot.mode === "draft" && boot.may.write;
  return (
    <div className="d-toolbar" role="toolbar" aria-label={t("shell.toolbar")}>
      <Title boot={boot} />
      {!readOnly && <History />}
      <div className="d-tools">
        {!readOnly && (
          <button type="button" className="d-tool" title={t("shell.arrange_hint", { keys: showKeys("Shift+L") })} onClick={() => void canvasApi.arrange()}>
            <Icon name="layout-grid" /><span>{t("shell.arrange")}</span>
          </button>
        )}
        <button type="button" className="d-tool" title={t("shell.fit_hint", { keys: showKeys("Shift+F") })} onClick={() => view.fit()}>
          <Icon name="arrows-maximize" /><span>{t("shell.fit")}</span>
        </button>
        <Layers />
      </div>
      <button type="button" className="d-find" title={t("shell.commands_hint", { keys: showKeys("Mod+K") })} onClick={() => view.set({ dialog: "commands" })}>
        <Icon name="search" /><span>{t("shell.find")}</span><kbd aria-hidden="true">{showKeys("Mod+K")}</kbd>
      </button>
      <PaintMode />
      <div className="d-tools d-tools-end">
        <button type="button" className="d-tool d-wide" aria-pressed={showYaml} title={t("shell.yaml_hint")} onClick={() => view.set({ showYaml: !showYaml })}>
          <Icon name="code" /><span>{t("shell.yaml")}</span>
        </button>
        <More boot={boot} />
        {drawn && (
          <button type="button" className="button small" onClick={() => view.set({ dialog: "save" })}>{t("shell.save")}</button>
        )}
        {drawn && boot.may.deploy && (
          <button type="button" className="button small primary" title={t("shell.plan_hint")} onClick={() => view.set({ panel: "plan", phoneTab: "panel" })}>
            {t("shell.plan")}
          </button>
        )}
      </div>
    </div>
  );
}

function Title({ boot }: { boot: Boot }) {
  // The first save gives a new drawing its name and its design; a shared link has neither.
  const { name: now, blueprint: saved } = useSync();
  const name = now || boot.name || t("shell.untitled");
  const blueprint = saved ?? boot.blueprint;
  return (
    <div className="d-title">
      {blueprint ? <a className="d-name clip" href={`${boot.urls.designs}${blueprint.id}/`}>{name}</a> : <span className="d-name clip">{name}</span>}
      {boot.mode === "shared" && <span className="tag">{t("shell.shared")}</span>}
      {boot.mode === "version" && <span className="tag">{t("shell.version", { number: boot.version ?? 0 })} · {t("shell.read_only")}</span>}
      {boot.mode === "draft" && (boot.may.write ? <SaveState /> : <span className="tag">{t("shell.read_only")}</span>)}
    </div>
  );
}

function History() {
  const past = useDocument((state) => state.past[state.past.length - 1]);
  const future = useDocument((state) => state.future[state.future.length - 1]);
  const undo = past ? t("shell.undo_what", { what: say(past.label) }) : t("shell.undo");
  const redo = future ? t("shell.redo_what", { what: say(future.label) }) : t("shell.redo");
  return (
    <div className="d-tools">
      <button type="button" className="d-icon-button" aria-disabled={!past} aria-label={undo} title={`${undo} (${showKeys("Mod+Z")})`} onClick={() => step("undo")}>
        <Icon name="arrow-back-up" />
      </button>
      <button type="button" className="d-icon-button" aria-disabled={!future} aria-label={redo} title={`${redo} (${showKeys("Mod+Y")})`} onClick={() => step("redo")}>
        <Icon name="arrow-forward-up" />
      </button>
    </div>
  );
}

function Layers() {
  const layers = useView((state) => state.layers);
  return (
    <details className="menu d-pulldown">
      <summary className="d-tool" aria-label={t("shell.layers")} title={t("shell.layers")}><Icon name="stack-2" /><span>{t("shell.layers")}</span></summary>
      <div className="menu-body">
        {LAYERS.map((layer) => (
          <label key={layer} className="d-check">
            <input
              type="checkbox" checked={layers[layer]}
              onChange={(event) => useView.getState().set({ layers: { ...layers, [layer]: event.target.checked } })}
            />
            {t(`shell.layer.${layer}`)}
          </label>
        ))}
      </div>
    </details>
  );
}

/** Choose what is painted over the drawing; only what there is can be chosen. */
function PaintMode() {
  const mode = usePaint((paint) => paint.mode);
  const has = {
    none: true,
    plan: usePaint((paint) => Object.keys(paint.plan).length > 0),
    live: usePaint((paint) => Object.keys(paint.live).length > 0),
    diff: usePaint((paint) => Object.keys(paint.diff).length + Object.keys(paint.diffEdges).length > 0),
  };
  const modes = (["none", "plan", "live", "diff"] as const).filter((one) => has[one] || one === mode);
  if (modes.length < 2) return null;
  return (
    <div className="d-modes" role="radiogroup" aria-label={t("shell.paint")}>
      {modes.map((one) => (
        <label key={one} className={one === mode ? "is-on" : ""}>
          <input type="radio" name="d-paint" checked={one === mode} onChange={() => usePaint.getState().set({ mode: one })} />
          {t(`shell.paint.${one}`)}
        </label>
      ))}
    </div>
  );
}

function More({ boot }: { boot: Boot }) {
  const open = (dialog: "import" | "export" | "share" | "shortcuts" | "tour" | "templates") => () => {
    document.querySelector<HTMLDetailsElement>(".d-more[open]")?.removeAttribute("open");
    useView.getState().set({ dialog });
  };
  const readOnly = useDocument((state) => state.readOnly);
  const saved = useSync((sync) => sync.blueprint);
  const blueprint = saved ?? boot.blueprint;
  return (
    <details className="menu menu-end d-pulldown d-more">
      <summary className="d-icon-button"><span className="visually-hidden">{t("shell.more")}</span><Icon name="dots" /></summary>
      <div className="menu-body">
        {!readOnly && <button type="button" className="menu-item" onClick={open("import")}><Icon name="file-plus" />{t("shell.import")}</button>}
        <button type="button" className="menu-item" onClick={open("export")}><Icon name="download" />{t("shell.export")}</button>
        {!readOnly && <button type="button" className="menu-item" onClick={open("templates")}><Icon name="template" />{t("shell.templates")}</button>}
        {blueprint && boot.may.write && (
          <button type="button" className="menu-item" onClick={open("share")}><Icon name="share" />{t("shell.share")}</button>
        )}
        <button type="button" className="menu-item" onClick={() => print()}><Icon name="printer" />{t("shell.print")}</button>
        <button type="button" className="menu-item" onClick={open("shortcuts")}><Icon name="keyboard" />{t("shell.shortcuts")}</button>
        <button type="button" className="menu-item" onClick={open("tour")}><Icon name="help" />{t("shell.tour")}</button>
        {blueprint && <a className="menu-item" href={`${boot.urls.designs}${blueprint.id}/`}><Icon name="file-text" />{t("shell.to_design")}</a>}
      </div>
    </details>
  );
}
