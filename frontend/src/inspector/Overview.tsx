import { useMemo } from "react";

import { Button, Field, Icon, Skeleton, TextInput } from "../app/controls";
import { ICONS } from "../app/kinds";
import { KINDS } from "../document/types";
import { number, t } from "../i18n";
import { useDocument } from "../store/document";
import { usePaint } from "../store/paint";
import { useView } from "../store/view";
import { FilesBeside } from "./Files";
import { Findings } from "./Findings";
import { ProjectForm } from "./OtherForms";
import { useRead } from "./useRead";
import { asText, at, bodyOf } from "./write";

/** Nothing is selected: facts of the drawing, and what counts for all of it. */
export function Overview() {
  const drawing = useDocument((state) => state.drawing);
  const readOnly = useDocument((state) => state.readOnly || state.broken.length > 0);
  const loose = usePaint((paint) => paint.loose);
  const read = useRead([["name"], ["x-escale"]]);
  const body = useMemo(
    () => bodyOf([], { name: read?.[0]?.value, ...(read?.[1]?.value === undefined ? {} : { "x-escale": read[1].value }) }, readOnly),
    [read, readOnly],
  );
  const counts = KINDS.map((kind) => ({ kind, count: drawing.nodes.filter((node) => node.kind === kind && !(node.kind === "network" && node.implicit)).length }));
  return (
    <div className="d-inspector">
      <header className="d-inspector-head">
        <Icon name="topology-star-3" />
        <div className="grow">
          <h2>{t("inspector.drawing")}</h2>
          <p className="d-hint">{t("inspector.nothing_selected")}</p>
        </div>
      </header>
      <Findings problems={loose} />
      <dl className="facts d-figures">
        {counts.filter(({ count }) => count > 0).map(({ kind, count }) => (
          <div key={kind}>
            <dt><Icon name={ICONS[kind]} small /> {t(`kind.${kind}s`)}</dt>
            <dd>{number(count)}</dd>
          </div>
        ))}
        <div><dt><Icon name="arrow-narrow-right" small /> {t("inspector.connections")}</dt><dd>{number(drawing.edges.length)}</dd></div>
        <div><dt><Icon name="plug-connected" small /> {t("inspector.published")}</dt><dd>{number(drawing.published.length)}</dd></div>
      </dl>
      <FilesBeside />
      {read ? (
        <>
          <Field label={t("inspector.project_name")} hint={t("inspector.project_name_hint")}>
            {(ids) => (
              <TextInput
                {...ids} mono readOnly={readOnly} value={asText(at(body.value, ["name"]))}
                onCommit={(now) => {
                  if (now !== "" && !now.includes("$") && !/^[a-z0-9][a-z0-9_-]*$/.test(now)) return t("inspector.error.project_name");
                  return body.set(["name"], now === "" ? undefined : now);
                }}
              />
            )}
          </Field>
          <ProjectForm body={body} />
        </>
      ) : (
        <Skeleton lines={4} />
      )}
      <div>
        <Button small tone="plain" icon="keyboard" onClick={() => useView.getState().set({ dialog: "shortcuts" })}>{t("action.shortcuts")}</Button>
      </div>
    </div>
  );
}
