import "./save.css";

import { Icon } from "../app/controls";
import { t } from "../i18n";
import { flush, type SyncState, useSync } from "./sync";
import { useView } from "./view";

const LOOKS: Record<SyncState, { icon: string; tone: string }> = {
  saved: { icon: "check", tone: "good" },
  saving: { icon: "progress", tone: "quiet" },
  dirty: { icon: "pencil", tone: "quiet" },
  offline: { icon: "cloud-off", tone: "warning" },
  conflict: { icon: "git-compare", tone: "danger" },
  signed_out: { icon: "lock", tone: "danger" },
  too_large: { icon: "alert-octagon", tone: "danger" },
  refused: { icon: "alert-octagon", tone: "danger" },
};

/** Say how the drawing stands with the server; a press does what helps. */
export function SaveState() {
  const state = useSync((sync) => sync.state);
  const problem = useSync((sync) => sync.problem);
  const draft = useSync((sync) => sync.draft);
  const blueprint = useSync((sync) => sync.blueprint);
  const { icon, tone } = LOOKS[state];
  // Before the first edit there is nothing that could be saved or lost.
  if (state === "saved" && draft === null) return blueprint ? null : <span className="d-save-state">{t("editor.sync.new")}</span>;
  const act = (): void => {
    if (state === "conflict") useView.getState().set({ dialog: "conflict" });
    else void flush();
  };
  const calm = state === "saved" || state === "saving" || state === "dirty";
  return (
    <span className="d-save-box">
      <button
        type="button" className={`d-save-state is-${tone}`} onClick={act}
        title={problem ? `${problem.message} ${problem.hint}` : t(`editor.sync_help.${state}`)}
      >
        <Icon name={icon} small />
        <span>{t(`editor.sync.${state}`)}</span>
      </button>
      {calm ? null : <SaveBanner />}
    </span>
  );
}

/** Only what needs attention is said aloud: a region that speaks at every autosave is a nuisance. */
function SaveBanner() {
  const state = useSync((sync) => sync.state);
  const problem = useSync((sync) => sync.problem);
  const words = problem ? `${problem.title}. ${problem.advice}` : t(`editor.sync_help.${state}`);
  return (
    <div className={`d-save-banner is-${LOOKS[state].tone}`} role="alert">
      <Icon name={LOOKS[state].icon} />
      <p>{words}</p>
      {state === "signed_out" ? <a className="button small" href="/login/" target="_blank" rel="noopener">{t("editor.sign_in")}</a> : null}
      {state === "conflict" ? (
        <button type="button" className="button small" onClick={() => useView.getState().set({ dialog: "conflict" })}>{t("editor.resolve")}</button>
      ) : null}
      {state === "offline" || state === "refused" || state === "signed_out" ? (
        <button type="button" className="button small plain" onClick={() => void flush()}>{t("editor.try_now")}</button>
      ) : null}
    </div>
  );
}
