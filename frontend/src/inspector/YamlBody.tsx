import { useState } from "react";

import { Button, FieldError } from "../app/controls";
import type { DrawingNode } from "../document/types";
import { say, t } from "../i18n";
import { useDocument } from "../store/document";
import { Section } from "./Fields";

interface Props {
  node: DrawingNode;
  yaml: string;
  readOnly: boolean;
  /** Keys that have no control of their own. */
  others: readonly string[];
}

/** The node as it is written: whatever has no control above can be changed here. */
export function YamlBody({ node, yaml, readOnly, others }: Props) {
  const [typed, setTyped] = useState<string | null>(null);
  const [error, setError] = useState<string | null>(null);
  const text = typed ?? yaml;
  const dirty = typed !== null && typed !== yaml;
  const apply = async (): Promise<void> => {
    if (!dirty) return;
    const applied = await useDocument.getState().run({ do: "set_yaml", path: node.path, yaml: text });
    setError(applied.ok ? null : say(applied.refused));
    if (applied.ok) setTyped(null);
  };
  return (
    <Section title={t("inspector.section.yaml")} count={others.length} open={false}>
      {others.length ? <p className="d-hint">{t("inspector.others", { keys: others.join(", ") })}</p> : null}
      <textarea
        className="textarea mono d-yaml-body" spellCheck={false} readOnly={readOnly} value={text} wrap="off"
        rows={Math.min(24, Math.max(4, text.split("\n").length))}
        aria-label={t("inspector.yaml_of", { name: node.name })} aria-invalid={error ? true : undefined}
        onChange={(event) => setTyped(event.target.value)}
        onKeyDown={(event) => {
          if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
            event.preventDefault();
            void apply();
          } else if (event.key === "Escape" && dirty) {
            event.stopPropagation();
            setTyped(null);
            setError(null);
          }
        }}
      />
      <FieldError error={error} />
      {dirty ? (
        <div className="row">
          <Button small tone="primary" onClick={() => void apply()}>{t("inspector.apply")}</Button>
          <Button
            small tone="plain"
            onClick={() => {
              setTyped(null);
              setError(null);
            }}
          >
            {t("inspector.revert")}
          </Button>
        </div>
      ) : null}
    </Section>
  );
}
