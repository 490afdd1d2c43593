import { useState } from "react";

import type { Kind, NodeId } from "../document/types";
import { say, t } from "../i18n";
import { useDocument } from "../store/document";
import { useView } from "../store/view";
import { Button, Dialog, Field } from "./controls";

/** Rename the selected node everywhere that the file names it. */
export function RenameDialog() {
  const open = useView((state) => state.dialog === "rename");
  const id = useView((state) => state.selection[0]);
  const node = useDocument((state) => state.drawing.nodes.find((each) => each.id === id));
  return open && node ? <Opened id={node.id} kind={node.kind} name={node.name} /> : null;
}

function Opened({ id, kind, name }: { id: NodeId; kind: Kind; name: string }) {
  const [to, setTo] = useState(name);
  const [error, setError] = useState<string | null>(null);
  const close = (): void => useView.getState().set({ dialog: null });
  const rename = async (): Promise<void> => {
    const wanted = to.trim();
    if (wanted === name) return close();
    const applied = await useDocument.getState().run({ do: "rename", id, to: wanted });
    if (!applied.ok) return setError(say(applied.refused));
    useView.getState().select([applied.created[0] ?? `${kind}:${wanted}`]);
    useView.getState().say(applied.label);
    close();
  };
  return (
    <Dialog
      title={t("app.rename_title", { name })} onClose={close} onSubmit={() => void rename()}
      footer={
        <>
          <Button onClick={close}>{t("app.cancel")}</Button>
          <Button type="submit" tone="primary" disabled={to.trim() === ""}>{t("app.rename")}</Button>
        </>
      }
    >
      <Field label={t("app.new_name")} hint={t("app.rename_hint")} error={error}>
        {(ids) => (
          <input
            {...ids} data-first className="input mono" autoComplete="off" spellCheck={false} value={to}
            onChange={(event) => setTo(event.target.value)} onFocus={(event) => event.target.select()}
          />
        )}
      </Field>
    </Dialog>
  );
}
