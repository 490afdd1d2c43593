import { useState } from "react";

import type { DrawingNode, NodeId, Point } from "../document/types";
import { say, t } from "../i18n";
import { useDocument } from "../store/document";
import { useView } from "../store/view";
import { canvasApi } from "./canvasApi";
import { Button, Dialog, Field, Select } from "./controls";
import { freeName } from "./names";

/** Put what is selected into a new machine or region. */
export function GroupDialog() {
  return useView((state) => state.dialog === "group" && state.selection.length > 0) ? <Opened /> : null;
}

/** Return where these nodes and all regions are drawn on the canvas; what is hidden in a folded group is left out. */
export function placesOf(ids: readonly NodeId[], nodes: readonly DrawingNode[]): Record<NodeId, Point> {
  const known = new Map(nodes.map((node) => [node.id, node]));
  const places: Record<NodeId, Point> = {};
  for (const node of nodes) {
    if (node.kind !== "region" && !ids.includes(node.id)) continue;
    let x = 0;
    let y = 0;
    let shown = true;
    for (let one: DrawingNode | undefined = node; one && shown; one = one.parent ? known.get(one.parent) : undefined) {
      const place = canvasApi.placeOf(one.id);
      shown = place !== null;
      x += place?.at[0] ?? 0;
      y += place?.at[1] ?? 0;
    }
    if (shown) places[node.id] = [x, y];
  }
  return places;
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
    const applied = await useDocument.getState().run({ do: "group", nodes: selection, kind, name: wanted.trim(), places: placesOf(selection, nodes) });
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
