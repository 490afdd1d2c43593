import "./versions.css";

import { useEffect, useRef, useState } from "react";

import { ProblemError } from "../api/client";
import { Banner, Button, Dialog, Icon, IconButton } from "../app/controls";
import { say, t } from "../i18n";
import { useDocument } from "../store/document";
import { useView } from "../store/view";
import { joined, readFiles, replaceBy, takeDropped, tooLarge, useImport } from "./files";

/** Bring Compose files in: by the dialog, or dropped anywhere on the designer. */
export function ImportDialog() {
  const shown = useView((view) => view.dialog === "import");
  const dragging = useDropping();
  return (
    <>
      {dragging ? (
        <div className="drop-veil d-drop-veil" aria-hidden="true"><div><Icon name="file-plus" />{t("editor.drop_here")}</div></div>
      ) : null}
      {shown ? <Importing /> : null}
    </>
  );
}

/** Watch for files that are dragged over the page; what is dragged from the palette is none of it. */
function useDropping(): boolean {
  const [dragging, setDragging] = useState(false);
  useEffect(() => {
    const closing = new AbortController();
    const { signal } = closing;
    let depth = 0;
    const files = (event: DragEvent) => Boolean(event.dataTransfer?.types.includes("Files")) && !useDocument.getState().readOnly;
    window.addEventListener("dragenter", (event) => {
      if (files(event)) setDragging(++depth > 0);
    }, { signal });
    window.addEventListener("dragleave", (event) => {
      if (files(event)) setDragging((depth = Math.max(0, depth - 1)) > 0);
    }, { signal });
    window.addEventListener("dragover", (event) => {
      if (files(event)) event.preventDefault();
    }, { signal });
    // Before the editor, which would put the file's text at the pointer.
    window.addEventListener("drop", (event) => {
      depth = 0;
      setDragging(false);
      if (!files(event)) return;
      event.preventDefault();
      event.stopPropagation();
      void takeDropped([...(event.dataTransfer?.files ?? [])]);
    }, { signal, capture: true });
    return () => closing.abort();
  }, []);
  return dragging;
}

function Importing() {
  const { sources, refused } = useImport();
  const empty = useDocument((state) => state.text.trim() === "");
  const [how, setHow] = useState<"replace" | "add">(empty ? "replace" : "add");
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState<string | null>(null);
  const input = useRef<HTMLInputElement>(null);
  const close = (): void => {
    useImport.setState({ sources: [], refused: [] });
    useView.getState().set({ dialog: null });
  };
  const choose = async (files: readonly File[]): Promise<void> => {
    const read = await readFiles(files);
    useImport.setState({ sources: [...sources, ...read.sources].slice(0, 20), refused: read.refused });
  };
  const move = (at: number, by: number): void => {
    const next = [...sources];
    const [moved] = next.splice(at, 1);
    if (moved) next.splice(at + by, 0, moved);
    useImport.setState({ sources: next });
  };
  const take = async (): Promise<void> => {
    if (sources.length === 0 || busy) return;
    setBusy(true);
    setProblem(null);
    try {
      const text = await joined(sources);
      if (tooLarge(text)) setProblem(t("editor.too_large"));
      else if (how === "replace" || empty) {
        replaceBy(text, sources.map(({ name }) => name).join(", "));
        close();
      } else {
        const applied = await useDocument.getState().run({ do: "paste", yaml: text });
        if (applied.ok) {
          useView.getState().say(applied.label);
          close();
        } else setProblem(say(applied.refused));
      }
    } catch (error) {
      setProblem(error instanceof ProblemError ? error.message : t("editor.sync_help.offline"));
    } finally {
      setBusy(false);
    }
  };
  return (
    <Dialog
      title={t("editor.import")}
      onClose={close}
      onSubmit={() => void take()}
      footer={
        <>
          <Button tone="plain" onClick={close}>{t("editor.cancel")}</Button>
          <Button type="submit" tone="primary" aria-disabled={sources.length === 0 || busy}>
            {t(how === "replace" || empty ? "editor.import_replace_do" : "editor.import_add_do", { count: Math.max(1, sources.length) })}
          </Button>
        </>
      }
    >
      <p>{t("editor.import_text")}</p>
      <input
        ref={input} type="file" multiple accept=".yaml,.yml,text/yaml,application/yaml,text/plain" className="visually-hidden" tabIndex={-1} aria-hidden="true"
        onChange={(event) => {
          void choose([...(event.target.files ?? [])]);
          event.target.value = "";
        }}
      />
      <Button icon="file-plus" data-first onClick={() => input.current?.click()}>{t("editor.choose_files")}</Button>
      {sources.length > 0 ? (
        <ol className="d-sources">
          {sources.map((source, at) => (
            <li key={`${source.name}${at}`}>
              <Icon name="file-code" />
              <span className="grow clip">{source.name}</span>
              <span className="quiet">{t("editor.lines_of", { count: source.text.split("\n").length })}</span>
              {at > 0 ? <IconButton small icon="arrow-up" label={t("editor.move_up", { name: source.name })} onClick={() => move(at, -1)} /> : null}
              <IconButton small icon="x" label={t("editor.leave_out", { name: source.name })} onClick={() => useImport.setState({ sources: sources.filter((_, index) => index !== at) })} />
            </li>
          ))}
        </ol>
      ) : null}
      {sources.length > 1 ? <Banner><p>{t("editor.import_merge")}</p></Banner> : null}
      {empty || sources.length === 0 ? null : (
        <fieldset className="d-how">
          <legend>{t("editor.import_how")}</legend>
          {(["add", "replace"] as const).map((one) => (
            <label key={one}><input type="radio" name="d-import-how" checked={how === one} onChange={() => setHow(one)} /> {t(`editor.import_${one}`)}</label>
          ))}
        </fieldset>
      )}
      {refused.map((message) => <Banner key={say(message)} tone="warning" role="alert"><p>{say(message)}</p></Banner>)}
      {problem ? <Banner tone="danger" role="alert"><p>{problem}</p></Banner> : null}
    </Dialog>
  );
}
