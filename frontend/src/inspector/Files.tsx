import { useId, useMemo, useRef, useState } from "react";

import { Button, Dialog, Field, Icon, IconButton } from "../app/controls";
import { t } from "../i18n";
import { useDocument } from "../store/document";
import { useSync } from "../store/sync";
import { pathIn } from "../versions/files";
import { besidePath, drop, keep, MOST_BYTES, take, wantedFiles } from "./beside";
import { Section } from "./Fields";
import { useRead } from "./useRead";

/** Whether the file of a config or secret stands beside the drawing, and ways to put it there. */
export function FileBeside({ file }: { file: string }) {
  const files = useSync((sync) => sync.files);
  const readOnly = useDocument((state) => state.readOnly);
  const path = besidePath(file);
  if (files === null || path === null) return null;
  const stored = files.includes(path);
  return (
    <Section title={t("inspector.section.file")} open>
      <p className="d-file-state">
        <Icon name={stored ? "circle-check" : "alert-triangle"} small />
        <span className="break">{t(stored ? "inspector.file_stored" : "inspector.file_missing", { name: path })}</span>
      </p>
      {readOnly ? null : (
        <div className="row row-wrap">
          <Supply path={path} />
          {stored ? <Button small tone="plain" icon="trash" onClick={() => drop(path)}>{t("inspector.file_remove")}</Button> : null}
        </div>
      )}
    </Section>
  );
}

const SECTIONS = [["services"], ["configs"], ["secrets"]] as const;

/** All that stands beside the drawing, and what the drawing names but nobody has supplied. */
export function FilesBeside() {
  const files = useSync((sync) => sync.files);
  const readOnly = useDocument((state) => state.readOnly);
  const read = useRead(SECTIONS);
  const wanted = useMemo(() => wantedFiles(read?.[0]?.value, read?.[1]?.value, read?.[2]?.value), [read]);
  if (files === null) return null;
  const missing = wanted.filter((path) => !files.includes(path));
  return (
    <Section title={t("inspector.section.files")} count={files.length + missing.length} open={files.length + missing.length > 0}>
      <p className="d-hint">{t("inspector.files_hint")}</p>
      {files.length + missing.length > 0 ? (
        <ul className="d-files" aria-label={t("inspector.section.files")}>
          {missing.map((path) => (
            <li key={path}>
              <div className="d-file">
                <Icon name="alert-triangle" small />
                <span className="mono break grow">{path}</span>
                <span className="tag">{t("inspector.missing")}</span>
              </div>
              {readOnly ? null : <div className="row row-wrap"><Supply path={path} /></div>}
            </li>
          ))}
          {files.map((path) => (
            <li key={path} className="d-file">
              <Icon name="file-text" small />
              <span className="mono break grow">{path}</span>
              {readOnly ? null : <IconButton small icon="trash" label={t("inspector.file_remove_named", { name: path })} onClick={() => drop(path)} />}
            </li>
          ))}
        </ul>
      ) : null}
      {readOnly ? null : <div className="row row-wrap"><Supply path={null} /></div>}
    </Section>
  );
}

/** Two ways to supply a file: choose one, or type what is in it. Without a path it is one that nobody has named yet. */
function Supply({ path }: { path: string | null }) {
  const input = useRef<HTMLInputElement>(null);
  const [typing, setTyping] = useState(false);
  const name = path === null ? "" : t("inspector.file_for", { name: path });
  const nameId = useId();
  return (
    <>
      {name ? <span id={nameId} className="visually-hidden">{name}</span> : null}
      <Button small icon="upload" aria-describedby={name ? nameId : undefined} onClick={() => input.current?.click()}>{t("inspector.file_choose")}</Button>
      <Button small icon="pencil" aria-describedby={name ? nameId : undefined} onClick={() => setTyping(true)}>
        {t(path === null ? "inspector.file_type_new" : "inspector.file_type")}
      </Button>
      <input
        ref={input} type="file" className="visually-hidden" tabIndex={-1} aria-hidden="true"
        onChange={(event) => {
          const [file] = event.target.files ?? [];
          if (file) void take(file, path ?? pathIn(useDocument.getState().text, file.name));
          event.target.value = ""; // the same one again is a choice too
        }}
      />
      {typing ? <TypeFile path={path} onClose={() => setTyping(false)} /> : null}
    </>
  );
}

function TypeFile({ path, onClose }: { path: string | null; onClose: () => void }) {
  const [named, setNamed] = useState("");
  const [text, setText] = useState("");
  const [error, setError] = useState<"path" | "size" | null>(null);
  const store = (): void => {
    if (text === "") return;
    const where = path ?? besidePath(named);
    if (where === null) return setError("path");
    if (new TextEncoder().encode(text).length > MOST_BYTES) return setError("size");
    keep(where, text);
    onClose();
  };
  return (
    <Dialog
      title={path ?? t("inspector.file_type_new")} onClose={onClose} onSubmit={store}
      footer={
        <>
          <Button onClick={onClose}>{t("app.cancel")}</Button>
          <Button type="submit" tone="primary" disabled={text === "" || (path === null && named.trim() === "")}>{t("inspector.file_keep")}</Button>
        </>
      }
    >
      {path === null ? (
        <Field label={t("inspector.file_path")} hint={t("inspector.file_path_hint")} error={error === "path" ? t("inspector.error.path") : null}>
          {(ids) => (
            <input
              {...ids} data-first className="input mono" autoComplete="off" spellCheck={false} value={named}
              onChange={(event) => setNamed(event.target.value)}
            />
          )}
        </Field>
      ) : null}
      <Field label={t("inspector.file_content")} hint={t("inspector.file_content_hint")} error={error === "size" ? t("inspector.file_too_large", { name: path ?? named }) : null}>
        {(ids) => (
          <textarea
            {...ids} {...(path === null ? {} : { "data-first": true })} className="textarea mono" rows={10} spellCheck={false} autoComplete="off"
            value={text} onChange={(event) => setText(event.target.value)}
          />
        )}
      </Field>
    </Dialog>
  );
}
