import { useMemo, useState } from "react";

import { Button, Dialog, Field, Select } from "../app/controls";
import { mayConnect } from "../document/connections";
import type { Drawing, DrawingNode, EdgeKind, Kind, NodeId } from "../document/types";
import { say, t } from "../i18n";
import { useDocument } from "../store/document";
import { useView } from "../store/view";

const TARGETS: Record<EdgeKind, Kind> = {
  depends_on: "service", network: "network", volume: "volume", config: "config", secret: "secret", link: "service",
};
const EDGE_KINDS = Object.keys(TARGETS) as EdgeKind[];
const CONDITIONS = ["service_started", "service_healthy", "service_completed_successfully"] as const;

/** Return what a service may be connected with by an edge of this kind. */
export function targetsOf(drawing: Drawing, kind: EdgeKind, source: NodeId): DrawingNode[] {
  return drawing.nodes.filter((node) => node.kind === TARGETS[kind] && mayConnect(drawing, source, node.id, kind).ok);
}

/** Draw a connection without a mouse: from which service, of which kind, to what. */
export function ConnectDialog() {
  return useView((state) => state.dialog === "connect") ? <Opened /> : null;
}

function Opened() {
  const drawing = useDocument((state) => state.drawing);
  const selected = useView((state) => state.selection);
  const close = (): void => useView.getState().set({ dialog: null });
  const services = useMemo(() => drawing.nodes.filter((node) => node.kind === "service"), [drawing]);
  const picked = drawing.nodes.filter((node) => selected.includes(node.id));
  // A selected service is where it begins; a selected volume, network, … is where it ends.
  const begin = picked.find((node) => node.kind === "service") ?? services[0];
  const end = picked.find((node) => node !== begin && node.kind !== "machine" && node.kind !== "region");
  const [source, setSource] = useState<NodeId | "">(begin?.id ?? "");
  const possible = EDGE_KINDS.filter((kind) => source !== "" && targetsOf(drawing, kind, source).length > 0);
  const [wantedKind, setKind] = useState<EdgeKind>(end ? EDGE_KINDS.find((kind) => TARGETS[kind] === end.kind) ?? "depends_on" : "depends_on");
  const kind = possible.includes(wantedKind) ? wantedKind : possible[0] ?? wantedKind;
  const targets = source === "" ? [] : targetsOf(drawing, kind, source);
  const [wantedTarget, setTarget] = useState<NodeId | "">(end?.id ?? "");
  const target = targets.find((node) => node.id === wantedTarget) ?? targets[0];
  const [mount, setMount] = useState("");
  const [condition, setCondition] = useState<string>("service_started");
  const [error, setError] = useState<string | null>(null);
  const mounts = kind === "volume" || kind === "config" || kind === "secret";

  const connect = async (): Promise<void> => {
    if (source === "" || !target) return;
    const on = kind === "depends_on" ? condition : mounts && mount.trim() ? mount.trim() : undefined;
    const applied = await useDocument.getState().run({ do: "connect", kind, source, target: target.id, on });
    if (!applied.ok) return setError(say(applied.refused));
    useView.getState().say(applied.label);
    close();
  };

  return (
    <Dialog
      title={t("outline.connect_title")} onClose={close} onSubmit={() => void connect()}
      footer={
        <>
          <Button onClick={close}>{t("app.cancel")}</Button>
          <Button type="submit" tone="primary" disabled={!target}>{t("outline.connect")}</Button>
        </>
      }
    >
      {services.length === 0 ? <p>{t("outline.connect_none")}</p> : null}
      <Field label={t("outline.from")}>
        {(ids) => (
          <Select {...ids} value={source} onChange={(value) => setSource(value as NodeId)} options={services.map((node) => ({ value: node.id, label: node.name }))} />
        )}
      </Field>
      <Field label={t("outline.kind")}>
        {(ids) => (
          <Select
            {...ids} data-first value={kind} onChange={(value) => setKind(value as EdgeKind)}
            options={(possible.length ? possible : [kind]).map((value) => ({ value, label: t(`edge.${value}`) }))}
          />
        )}
      </Field>
      <Field label={t("outline.to")} error={error}>
        {(ids) => (
          <Select {...ids} value={target?.id ?? ""} onChange={(value) => setTarget(value as NodeId)} options={targets.map((node) => ({ value: node.id, label: node.name }))} />
        )}
      </Field>
      {kind === "depends_on" ? (
        <Field label={t("inspector.condition")}>
          {(ids) => <Select {...ids} value={condition} onChange={setCondition} options={CONDITIONS.map((value) => ({ value, label: t(`inspector.condition.${value}`) }))} />}
        </Field>
      ) : null}
      {mounts ? (
        <Field label={t("outline.mount")} hint={t("outline.mount_hint")}>
          {(ids) => (
            <input {...ids} className="input mono" autoComplete="off" spellCheck={false} value={mount} placeholder={kind === "volume" ? "/data" : ""} onChange={(event) => setMount(event.target.value)} />
          )}
        </Field>
      ) : null}
    </Dialog>
  );
}
