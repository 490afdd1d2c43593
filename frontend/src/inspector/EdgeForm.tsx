import { Button, Field, Icon, Select, TextInput } from "../app/controls";
import { perform } from "../app/gestures";
import { EDGE_ICONS } from "../app/kinds";
import type { DrawingEdge } from "../document/types";
import { t } from "../i18n";
import { useDocument } from "../store/document";
import { useView } from "../store/view";
import { DependsField } from "./Relations";
import { entryOf, helpOf, labelOf } from "./schema";
import { useRead } from "./useRead";
import { bodyOf, run, told } from "./write";

/** What leads from a service to something: its two ends, and what it says itself. */
export function EdgeForm({ edge }: { edge: DrawingEdge }) {
  const readOnly = useDocument((state) => state.readOnly);
  const nodes = useDocument((state) => state.drawing.nodes);
  const name = (id: string): string => nodes.find((node) => node.id === id)?.name ?? id;
  return (
    <div className="d-inspector">
      <header className="d-inspector-head">
        <Icon name={EDGE_ICONS[edge.kind]} />
        <div className="grow">
          <h2 className="clip">{t("inspector.edge", { source: name(edge.source), target: name(edge.target) })}</h2>
          <p className="d-hint">{t(`edge.${edge.kind}`)}</p>
        </div>
      </header>
      <div className="row row-wrap">
        <Button small tone="plain" icon="box" onClick={() => useView.getState().show(edge.source)}>{name(edge.source)}</Button>
        <Button small tone="plain" icon={EDGE_ICONS[edge.kind]} onClick={() => useView.getState().show(edge.target)}>{name(edge.target)}</Button>
        <Button small tone="plain" icon="code" onClick={() => useView.getState().goTo(edge.span)}>{t("inspector.show_line")}</Button>
      </div>
      {edge.kind === "depends_on" ? <Condition edge={edge} readOnly={readOnly} /> : null}
      {edge.kind === "volume" ? <MountPath edge={edge} readOnly={readOnly} /> : null}
      {readOnly ? null : (
        <div>
          <Button small tone="danger" icon="trash" onClick={() => void remove(edge)}>{t("inspector.delete_edge")}</Button>
        </div>
      )}
    </div>
  );
}

async function remove(edge: DrawingEdge): Promise<void> {
  if (await perform({ do: "remove", nodes: [], edges: [edge.id] })) useView.getState().select([]);
}

/** Choosing a condition writes what the service's own form would write. */
function Condition({ edge, readOnly }: { edge: DrawingEdge; readOnly: boolean }) {
  const service = edge.source;
  const path = ["services", service.slice("service:".length)];
  const read = useRead([path]);
  if (!read?.[0]) return null;
  const value = (read[0].value as { depends_on?: unknown } | null)?.depends_on;
  const body = bodyOf(path, read[0].value, readOnly);
  if (!Array.isArray(value))
    return (
      <Field label={t("inspector.condition")} help={helpOf("service", "depends_on.*.condition")}>
        {(ids) => (
          <Select
            {...ids} value={edge.condition ?? "service_started"} disabled={readOnly}
            options={(entryOf("service", "depends_on.*.condition").enum ?? []).map((each) => ({ value: each, label: t(`inspector.condition.${each}`) }))}
            onChange={(condition) => told(body.set(["depends_on", edge.target.slice("service:".length), "condition"], condition))}
          />
        )}
      </Field>
    );
  const below = { ...body, path: [...path, "depends_on"], value, set: (inner: readonly (string | number)[], now: unknown) => body.set(["depends_on", ...inner], now) };
  return <DependsField label={labelOf("service", "depends_on")} body={below} service={service} />;
}

function MountPath({ edge, readOnly }: { edge: DrawingEdge; readOnly: boolean }) {
  const read = useRead([edge.path]);
  const value = read?.[0]?.value;
  if (value === undefined) return null;
  const long = typeof value === "object" && value !== null;
  return (
    <Field label={labelOf("service", "volumes[].target")} help={helpOf("service", "volumes[].target")}>
      {(ids) => (
        <TextInput
          {...ids} mono readOnly={readOnly} value={edge.label}
          onCommit={async (now) => {
            if (!now.startsWith("/") && !now.startsWith("$")) return t("inspector.error.target");
            const path = long ? [...edge.path, "target"] : edge.path;
            const line = String(value).replace(`:${edge.label}`, `:${now}`);
            return run({ do: "set", path, value: long ? now : line });
          }}
        />
      )}
    </Field>
  );
}
