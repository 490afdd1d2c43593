import "./versions.css";

import { useEffect, useMemo, useState } from "react";

import { Button, Dialog, Skeleton } from "../app/controls";
import type { Merge } from "../document/types";
import { t } from "../i18n";
import { type Conflict, refreshConflict, resolveConflict, useSync } from "../store/sync";
import { useView } from "../store/view";

type Choice = "mine" | "theirs" | "both";

/** Let a person join two texts: one choice for each place where both changed, with the whole text to look at. */
export function ConflictDialog() {
  const shown = useView((view) => view.dialog === "conflict");
  const conflict = useSync((sync) => sync.conflict);
  useEffect(() => {
    if (shown) void refreshConflict(); // what was typed since belongs to it
  }, [shown]);
  useEffect(() => {
    if (shown && conflict === null) useView.getState().set({ dialog: null });
  }, [shown, conflict]);
  return shown && conflict ? <Joining key={conflict.mine + conflict.theirs} conflict={conflict} /> : null;
}

function Joining({ conflict }: { conflict: Conflict }) {
  const [choices, setChoices] = useState<(Choice | null)[]>(() => conflict.conflicts.map(() => null));
  const [merge, setMerge] = useState<Merge | null>(null);
  const [preview, setPreview] = useState(false);
  const [busy, setBusy] = useState(false);
  useEffect(() => {
    // The merge that the worker made cannot send its function along.
    void import("../document/merge").then((module) => setMerge(module.merge(conflict.base, conflict.mine, conflict.theirs)));
  }, [conflict]);
  const open = choices.filter((choice) => choice === null).length;
  const text = useMemo(() => merge?.resolve(choices.map((choice) => choice ?? "mine")) ?? "", [merge, choices]);
  const close = () => useView.getState().set({ dialog: null });
  const theirs = conflict.version === null ? t("editor.theirs_tab") : t("editor.theirs_version", { version: conflict.version, who: conflict.by || t("editor.somebody") });
  const all = (choice: Choice) => setChoices(choices.map(() => choice));

  const join = async (): Promise<void> => {
    if (open > 0 || !merge || busy) return;
    setBusy(true);
    await resolveConflict(text);
    setBusy(false);
    if (useSync.getState().conflict === null) {
      useView.getState().say({ key: conflict.version === null ? "editor.merged" : "editor.merged_version", params: { version: conflict.version ?? 0 } });
      // A version is what one was about to save.
      useView.getState().set({ dialog: conflict.version === null ? null : "save" });
    }
  };

  return (
    <Dialog
      wide
      title={conflict.version === null ? t("editor.conflict_draft") : t("editor.conflict_version", { version: conflict.version })}
      onClose={close}
      footer={
        <>
          <span className="d-foot-note" role="status">{open > 0 ? t("editor.conflicts_open", { count: open }) : t("editor.conflicts_done")}</span>
          <Button tone="plain" onClick={close}>{t("editor.later")}</Button>
          <Button tone="primary" aria-disabled={open > 0 || busy} onClick={() => void join()}>{t("editor.join")}</Button>
        </>
      }
    >
      <p>{t("editor.conflict_text", { count: conflict.conflicts.length, theirs })}</p>
      <div className="row row-wrap">
        <Button small onClick={() => all("mine")}>{t("editor.all_mine")}</Button>
        <Button small onClick={() => all("theirs")}>{t("editor.all_theirs")}</Button>
        <Button small icon="file-code" aria-expanded={preview} onClick={() => setPreview(!preview)}>{t("editor.preview")}</Button>
      </div>
      {merge === null ? <Skeleton /> : null}
      {preview && merge ? <pre className="d-code d-code-tall" tabIndex={0} aria-label={t("editor.preview")}>{text}</pre> : null}
      <ol className="d-conflicts">
        {conflict.conflicts.map((one, at) => (
          <li key={at}>
            <fieldset>
              <legend>{t("editor.conflict_at", { number: at + 1, line: one.line })}</legend>
              <div className="d-sides">
                <Side label={t("editor.mine")} text={one.mine} base={one.base} />
                <Side label={theirs} text={one.theirs} base={one.base} />
              </div>
              <div className="d-choice" role="radiogroup" aria-label={t("editor.conflict_at", { number: at + 1, line: one.line })}>
                {(["mine", "theirs", "both"] as const).map((choice) => (
                  <label key={choice}>
                    <input
                      type="radio" name={`conflict-${at}`} data-first={at === 0 && choice === "mine" ? true : undefined} checked={choices[at] === choice}
                      onChange={() => setChoices(choices.map((before, index) => (index === at ? choice : before)))}
                    />
                    {t(`editor.choice.${choice}`)}
                  </label>
                ))}
              </div>
            </fieldset>
          </li>
        ))}
      </ol>
    </Dialog>
  );
}

function Side({ label, text, base }: { label: string; text: string; base: string }) {
  return (
    <div className="d-side">
      <h3>{label}</h3>
      <pre className="d-code" tabIndex={0} aria-label={label}>{text || (base ? t("editor.removed_here") : t("editor.nothing_here"))}</pre>
    </div>
  );
}
