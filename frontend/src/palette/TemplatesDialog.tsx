import { useEffect, useState } from "react";

import { api, ProblemError, type Schemas } from "../api/client";
import { Banner, Button, Dialog, EmptyState, Icon, Skeleton } from "../app/controls";
import { perform } from "../app/gestures";
import { t } from "../i18n";
import { useDocument } from "../store/document";
import { attachFiles } from "../store/sync";
import { useView } from "../store/view";
import "./palette.css";

type TemplateRow = Schemas["TemplateRow"];
type Template = Schemas["Template"];

/** Designs to start from: the whole document of an empty drawing, else what is pasted into it. */
export function TemplatesDialog() {
  return useView((state) => state.dialog === "templates") ? <Opened /> : null;
}

function Opened() {
  const [rows, setRows] = useState<readonly TemplateRow[] | null>(null);
  const [error, setError] = useState<string | null>(null);
  const [busy, setBusy] = useState<string | null>(null);
  const [tries, setTries] = useState(0);
  const empty = useDocument((state) => state.drawing.nodes.filter((node) => !(node.kind === "network" && node.implicit)).length === 0);
  const close = (): void => useView.getState().set({ dialog: null });

  useEffect(() => {
    let gone = false;
    setError(null);
    api.GET("/api/v1/blueprints/templates/", { params: { query: { limit: 100 } } }).then(
      ({ data }) => !gone && setRows(data?.results ?? []),
      (failure: unknown) => !gone && setError(words(failure)),
    );
    return () => {
      gone = true;
    };
  }, [tries]);

  const insert = async (row: TemplateRow): Promise<void> => {
    setBusy(row.name);
    setError(null);
    try {
      const { data } = await api.GET("/api/v1/blueprints/templates/{template}/", { params: { path: { template: row.name } } });
      if (data && (await put(data, empty))) close();
    } catch (failure) {
      setError(words(failure));
    }
    setBusy(null);
  };

  return (
    <Dialog title={t("palette.templates_title")} onClose={close} wide>
      <p className="soft">{t(empty ? "palette.templates_replace" : "palette.templates_paste")}</p>
      {error ? (
        <Banner tone="danger" role="alert" actions={<Button small onClick={() => setTries(tries + 1)}>{t("app.again")}</Button>}>
          <p>{error}</p>
        </Banner>
      ) : null}
      {rows === null && !error ? <Skeleton /> : null}
      {rows?.length === 0 ? <EmptyState icon="template" title={t("palette.templates_none")} /> : null}
      <ul className="d-templates">
        {rows?.map((row) => (
          <li key={row.name}>
            <button type="button" className="d-template" disabled={busy !== null} aria-busy={busy === row.name} onClick={() => void insert(row)}>
              <strong><Icon name="template" small /> {row.title}</strong>
              <span>{row.description}</span>
            </button>
          </li>
        ))}
      </ul>
    </Dialog>
  );
}

/** Put a template into the drawing; answers whether that went well. */
export async function put(template: Template, empty: boolean): Promise<boolean> {
  const made = await perform(
    empty
      ? { do: "replace", text: template.compose, label: { key: "palette.templates_label", params: { title: template.title } } }
      : { do: "paste", yaml: template.compose },
  );
  if (made === null) return false;
  attachFiles(template.files);
  useView.getState().select(made);
  useView.getState().fit();
  return true;
}

function words(failure: unknown): string {
  if (failure instanceof ProblemError) return [failure.title, failure.advice].filter(Boolean).join(" ");
  return t("app.unreachable");
}
