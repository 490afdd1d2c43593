import { useState } from "react";

import { say, t } from "../i18n";
import { useDocument } from "../store/document";
import { useView } from "../store/view";
import { Button, Dialog, Field, Select } from "./controls";
import { freeName } from "./names";

/** Put what is selected into a new machine or region. */
export function GroupDialog() {
  return useView((state) => state.dialog === "group" && state.selection.length > 0) ? <Opened /> : null;
}

function Opened() {
  const selection = useView((state) => state.selection);
  const nodes = useDocument((state) => state.drawing.nodes);
  // Machines do not stand in machines.
  const onlyRegion = nodes.some((node) => node.kind === "machine" && selection.includes(node.id));
  const [kind, setKind] = useState<"machine" | "region">(onlyRegion ? "region" : "machine");
  const [name, setName] = useState<string | null>(null);
  const [error, setError] = useState<string | null>(null);
  const close = (): void => useView.getState().set({ dialog: null });
  const suggested = freeName(nodes, kind, kind === "machine" ? "host" : "region");
  const wanted = name ?? suggested;
  const group = async (): Promise<void> => {
    const applied = await useDocument.getState().run({ do: "group", nodes: selection, kind, name: wanted.trim() });
    if (!applied.ok) return setError(say(applied.refused));
    if (applied.created.length) useView.getState().select(applied.created);
    useView.getState().say(applied.label);
    close();
  };
  return (
    <Dialog
      title={t("app.group_title", { count: selection.length })} onClose={close} onSubmit={() => void group()}
      footer={
        <>
          <Button onClick={close}>{t("app.cancel")}</Button>
          <Button type="submit" tone="primary" disabled={wanted.trim() === ""}>{t(kind === "machine" ? "app.group_machine" : "app.group_region")}</Button>
        </>
      }
    >
      <Field label={t("app.group_kind")}>
        {(ids) => (
          <Select
            {...ids} value={kind} disabled={onlyRegion} onChange={(value) => setKind(value as "machine" | "region")}
            options={[{ value: "machine", label: t("kind.machine") }, { value: "region", label: t("kind.region") }]}
          />
        )}
      </Field>
      <Field label={t("app.name")} error={error} hint={t("app.host_name_hint")}>
        {(ids) => <input {...ids} data-first className="input mono" autoComplete="off" spellCheck={false} value={wanted} onChange={(event) => setName(event.target.value)} />}
      </Field>
    </Dialog>
  );
}
