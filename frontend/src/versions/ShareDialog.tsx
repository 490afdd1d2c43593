import "./versions.css";

import { useCallback, useEffect, useMemo, useState } from "react";

import { api, ProblemError, type Schemas, take, takeAll } from "../api/client";
import type { Boot } from "../app/boot";
import { Banner, Button, Dialog, Field, IconButton, Select, Skeleton } from "../app/controls";
import { t } from "../i18n";
import { moment, sinceWords } from "../i18n/time";
import { useDocument } from "../store/document";
import { useSync } from "../store/sync";
import { useView } from "../store/view";
import { copy } from "./copy";
import { writesPasswords } from "./passwords";

type Share = Schemas["Share"];
const DAYS = [1, 7, 30, 90, 0];

/** Make, copy and revoke links under which the organization may read the design. */
export function ShareDialog({ boot }: { boot: Boot }) {
  const shown = useView((view) => view.dialog === "share");
  const blueprint = useSync((sync) => sync.blueprint) ?? boot.blueprint;
  if (!shown) return null;
  return blueprint ? <Sharing blueprint={blueprint.id} mayWrite={boot.may.write} /> : <Unsaved />;
}

const close = () => useView.getState().set({ dialog: null });

function Unsaved() {
  return (
    <Dialog
      title={t("editor.share")} onClose={close}
      footer={<Button tone="primary" onClick={() => useView.getState().set({ dialog: "save" })}>{t("editor.save_design")}</Button>}
    >
      <p>{t("editor.share_unsaved")}</p>
    </Dialog>
  );
}

function Sharing({ blueprint, mayWrite }: { blueprint: string; mayWrite: boolean }) {
  const version = useSync((sync) => sync.baseVersion);
  const text = useDocument((state) => state.text);
  const readable = useMemo(() => writesPasswords(text), [text]);
  const [shares, setShares] = useState<Share[] | null>(null);
  const [which, setWhich] = useState("latest");
  const [days, setDays] = useState("30");
  const [busy, setBusy] = useState(false);
  const [fresh, setFresh] = useState<string | null>(null);
  const [problem, setProblem] = useState<string | null>(null);
  const told = (error: unknown) => setProblem(error instanceof ProblemError ? `${error.title}. ${error.advice}` : t("editor.sync_help.offline"));

  const load = useCallback(async () => {
    try {
      setShares(await takeAll((cursor) => api.GET("/api/v1/blueprints/{id}/shares/", { params: { path: { id: blueprint }, query: { cursor } } })));
    } catch (error) {
      setShares([]);
      told(error);
    }
  }, [blueprint]);
  useEffect(() => void load(), [load]);

  const make = async (): Promise<void> => {
    if (busy) return;
    setBusy(true);
    setProblem(null);
    try {
      const body = {
        version: which === "latest" ? null : Number(which),
        expires_at: days === "0" ? null : new Date(Date.now() + Number(days) * 86_400_000).toISOString(),
      };
      const share = await take(api.POST("/api/v1/blueprints/{id}/shares/", { params: { path: { id: blueprint } }, body }));
      setShares([share, ...(shares ?? [])]);
      setFresh(share.id);
      if (share.url) await copy(share.url);
    } catch (error) {
      told(error);
    } finally {
      setBusy(false);
    }
  };
  const revoke = async (share: Share): Promise<void> => {
    try {
      await take(api.DELETE("/api/v1/blueprints/{id}/shares/{share}/", { params: { path: { id: blueprint, share: share.id } } }));
      setShares((shares ?? []).filter(({ id }) => id !== share.id));
      useView.getState().say({ key: "editor.share_revoked" });
    } catch (error) {
      told(error);
    }
  };
  return (
    <Dialog title={t("editor.share")} onClose={close}>
      <p>{t("editor.share_text")}</p>
      {readable ? <Banner tone="warning"><p>{t("editor.share_passwords")}</p></Banner> : null}
      {mayWrite ? (
        <div className="d-share-new">
          <Field label={t("editor.share_what")}>
            {(ids) => (
              <Select
                {...ids} value={which} onChange={setWhich} data-first
                options={[{ value: "latest", label: t("editor.share_latest") }, ...(version === null ? [] : [{ value: String(version), label: t("editor.version", { version }) }])]}
              />
            )}
          </Field>
          <Field label={t("editor.share_until")}>
            {(ids) => (
              <Select
                {...ids} value={days} onChange={setDays}
                options={DAYS.map((count) => ({ value: String(count), label: count === 0 ? t("editor.share_always") : t("editor.days", { count }) }))}
              />
            )}
          </Field>
          <Button tone="primary" icon="share" aria-disabled={busy} onClick={() => void make()}>{t("editor.share_make")}</Button>
        </div>
      ) : null}
      {problem ? <Banner tone="danger" role="alert"><p>{problem}</p></Banner> : null}
      {shares === null ? <Skeleton lines={3} /> : shares.length === 0 ? <p className="quiet">{t("editor.share_none")}</p> : (
        <ul className="d-shares" aria-label={t("editor.share_links")}>
          {shares.map((share) => (
            <li key={share.id} className={share.id === fresh ? "is-fresh" : ""}>
              {share.url ? <input className="input mono" readOnly value={share.url} aria-label={t("editor.share_address")} onFocus={(event) => event.target.select()} /> : null}
              <p className="quiet">
                <span>{share.version === null ? t("editor.share_latest") : t("editor.version", { version: share.version })}</span>
                <span title={moment(share.created_at)}>{t("editor.share_made", { when: sinceWords(share.created_at), who: share.created_by ?? "" })}</span>
                <span>{share.expires_at ? t("editor.share_ends", { when: moment(share.expires_at) }) : t("editor.share_always")}</span>
              </p>
              <div className="row">
                {share.url ? <Button small icon="copy" onClick={() => void copy(share.url as string)}>{t("editor.copy")}</Button> : null}
                {mayWrite ? <IconButton icon="trash" label={t("editor.share_revoke")} onClick={() => void revoke(share)} /> : null}
              </div>
            </li>
          ))}
        </ul>
      )}
    </Dialog>
  );
}
