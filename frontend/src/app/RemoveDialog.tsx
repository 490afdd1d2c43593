import { useEffect, useMemo } from "react";

import { consequences } from "../document/consequences";
import type { Consequence, NodeId } from "../document/types";
import { say, t } from "../i18n";
import { useDocument } from "../store/document";
import { useView } from "../store/view";
import { Button, Dialog, Icon } from "./controls";
import { perform } from "./gestures";

/** Say what goes along with what is removed; when nothing does, remove it without asking: undo brings it back. */
export function RemoveDialog() {
  const open = useView((state) => state.dialog === "remove");
  const selection = useView((state) => state.selection);
  const edges = useView((state) => state.selectedEdges);
  const drawing = useDocument((state) => state.drawing);
  const along = useMemo(() => (open ? consequences(drawing, selection, edges) : []), [open, drawing, selection, edges]);
  const silent = open && along.length === 0;
  useEffect(() => {
    if (!silent) return;
    useView.getState().set({ dialog: null });
    void remove();
  }, [silent]);
  return open && along.length > 0 ? <Opened along={along} names={selection} count={selection.length + edges.length} /> : null;
}

async function remove(): Promise<void> {
  const { selection, selectedEdges, select } = useView.getState();
  if (selection.length + selectedEdges.length === 0) return;
  if (await perform({ do: "remove", nodes: selection, edges: selectedEdges })) select([]);
}

function Opened({ along, names, count }: { along: readonly Consequence[]; names: readonly NodeId[]; count: number }) {
  const close = (): void => useView.getState().set({ dialog: null });
  const name = names[0]?.slice(names[0].indexOf(":") + 1) ?? "";
  const title = count === 1 && name ? t("app.remove_one", { name }) : t("app.remove_several", { count });
  return (
    <Dialog
      title={title} onClose={close}
      onSubmit={() => {
        close();
        void remove();
      }}
      footer={
        <>
          <Button onClick={close}>{t("app.cancel")}</Button>
          <Button type="submit" tone="danger-fill" data-first>{t("app.remove_confirm", { count })}</Button>
        </>
      }
    >
      <p>{t("app.remove_along")}</p>
      <ul className="d-along">
        {along.map((consequence, index) => (
          <li key={index}><Icon name="arrow-narrow-right" small /> {say(consequence.message)}</li>
        ))}
      </ul>
      <p className="d-hint">{t("app.remove_undo")}</p>
    </Dialog>
  );
}
