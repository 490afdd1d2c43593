import "./versions.css";

import { useState } from "react";

import type { ProblemError } from "../api/client";
import type { Boot } from "../app/boot";
import { Banner, Button, Dialog, Field } from "../app/controls";
import { t } from "../i18n";
import { useDocument } from "../store/document";
import { against, problemOfFinding } from "../store/problems";
import { saveVersion, type SyncState, useSync } from "../store/sync";
import { useView } from "../store/view";

const LONGEST_NAME = 63;
const LONGEST_MESSAGE = 300;

/** Make a version of what is drawn; of a new drawing, the design that it belongs to. */
export function SaveDialog({ boot }: { boot: Boot }) {
  const shown = useView((view) => view.dialog === "save");
  return shown ? <Saving boot={boot} /> : null;
}

interface Trouble {
  problem: ProblemError | null;
  state: SyncState;
}

function Saving({ boot }: { boot: Boot }) {
  const blueprint = useSync((sync) => sync.blueprint);
  const version = useSync((sync) => sync.baseVersion);
  const known = useSync((sync) => sync.name);
  const drawn = useDocument((state) => state.drawing.name);
  const [name, setName] = useState(known || drawn);
  const [message, setMessage] = useState("");
  const [busy, setBusy] = useState(false);
  const [trouble, setTrouble] = useState<Trouble | null>(null);
  const close = () => useView.getState().set({ dialog: null, afterSave: null });

  const save = async (): Promise<void> => {
    if (busy || (!blueprint && !name.trim())) return;
    setBusy(true);
    const answer = await saveVersion({ ...(blueprint ? {} : { name: name.trim() }), ...(message.trim() ? { message: message.trim() } : {}) });
    setBusy(false);
    if (answer.ok) {
      const { number } = answer.saved;
      useView.getState().say({ key: number === version ? "editor.saved_same" : "editor.saved_version", params: { version: number } });
      const { afterSave } = useView.getState();
      close();
      return afterSave?.();
    }
    if (answer.state === "conflict") return; // its dialog has taken this one's place
    setTrouble({ problem: answer.problem, state: answer.state });
  };
  const refusedName = trouble?.problem?.code.startsWith("name.") || trouble?.problem?.code === "blueprint.name_taken";

  return (
    <Dialog
      title={t(blueprint ? "editor.save_version" : "editor.save_design")}
      onClose={close}
      onSubmit={() => void save()}
      footer={
        <>
          <Button tone="plain" onClick={close}>{t("editor.cancel")}</Button>
          <Button type="submit" tone="primary" aria-disabled={busy || (!blueprint && !name.trim())}>
            {busy ? t("editor.saving") : blueprint ? t("editor.save_as_version", { version: (version ?? 0) + 1 }) : t("editor.save_design")}
          </Button>
        </>
      }
    >
      {blueprint ? (
        <p className="quiet">{t("editor.save_into", { name: blueprint.name })}</p>
      ) : (
        <Field label={t("editor.design_name")} hint={t("editor.design_name_hint", { project: boot.project.name })} error={refusedName ? trouble?.problem?.message : null}>
          {(ids) => (
            <input
              {...ids} className="input" data-first value={name} maxLength={LONGEST_NAME} autoComplete="off" spellCheck={false}
              onChange={(event) => setName(event.target.value)}
            />
          )}
        </Field>
      )}
      <Field label={t("editor.message")} hint={t("editor.message_hint")}>
        {(ids) => (
          <input
            {...ids} className="input" data-first={blueprint ? true : undefined} value={message} maxLength={LONGEST_MESSAGE} autoComplete="off"
            onChange={(event) => setMessage(event.target.value)}
          />
        )}
      </Field>
      {trouble && !refusedName ? <Why {...trouble} /> : null}
    </Dialog>
  );
}

function Why({ problem, state }: Trouble) {
  if (!problem) return <Banner tone="warning" role="alert"><p>{t(`editor.sync_help.${state}`)}</p></Banner>;
  return (
    <Banner tone="danger" role="alert">
      <h3>{problem.title}</h3>
      <p>{problem.findings.length > 0 ? t("editor.save_findings") : problem.advice}</p>
      {problem.findings.length > 0 ? <Findings problem={problem} /> : null}
    </Banner>
  );
}

const SHOWN = 20;

function Findings({ problem }: { problem: ProblemError }) {
  const go = (at: number): void => {
    const finding = problem.findings[at];
    if (!finding) return;
    const { text, drawing } = useDocument.getState();
    const found = problemOfFinding(finding, against(text, drawing));
    useView.getState().set({ dialog: null, panel: "problems", phoneTab: "yaml" });
    if (found.node) useView.getState().show(found.node);
    if (found.span) useView.getState().goTo(found.span, true);
  };
  return (
    <ul className="d-found">
      {problem.findings.slice(0, SHOWN).map((finding, at) => (
        <li key={at}>
          <button type="button" className="link-button" onClick={() => go(at)}>
            {finding.line === null ? finding.message : t("editor.at_line", { line: finding.line, message: finding.message })}
          </button>
        </li>
      ))}
    </ul>
  );
}
