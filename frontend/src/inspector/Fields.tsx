import { type ReactNode } from "react";

import { Field, NumberInput, Select, TextArea, TextInput, Toggle } from "../app/controls";
import { t } from "../i18n";
import { ListField, MapField } from "./Lists";
import { entryOf, helpOf, labelOf, type Place } from "./schema";
import { asText, type Body, inner, like, told } from "./write";

interface Props {
  place: Place;
  /** A key of the schema, with dots for what is inside of others. */
  name: string;
  /** The body of the node; the key stands below it, or below its `x-escale`. */
  body: Body;
  suggestions?: readonly string[];
  placeholder?: string;
  options?: readonly { value: string; label: string }[];
  multiline?: boolean;
  mono?: boolean;
}

const EXAMPLES: Record<string, string> = {
  "service.image": "nginx:1.29", "service.working_dir": "/app", "service.user": "1000:1000", "service.build.context": ".",
  "service.deploy.resources.limits.memory": "512M", "service.deploy.resources.reservations.memory": "256M",
  "service.deploy.resources.limits.cpus": "0.5", "service.healthcheck.interval": "30s", "service.healthcheck.timeout": "5s",
  "service.healthcheck.start_period": "20s", "x-service.memory": "512MiB", "x-volume.size": "20GiB", "x-machine.memory": "4GiB",
  "x-network.subnet": "10.20.0.0/24",
};
const SUGGESTED: Record<string, readonly string[]> = {
  "service.restart": ["no", "always", "on-failure", "unless-stopped"],
  "service.pull_policy": ["always", "missing", "never", "build"],
  "network.driver": ["bridge", "overlay", "host", "none"],
};

/** Draw the control that the schema's shape of a key asks for, with the specification's words as help. */
export function SchemaField({ place, name, body, suggestions, placeholder, options, multiline = false, mono = true }: Props) {
  const entry = entryOf(place, name);
  const path = name.split(".");
  const here = inner(body, path);
  const label = labelOf(place, name);
  const help = helpOf(place, name);
  const hint = placeholder ?? EXAMPLES[`${place}.${name}`];
  const known = suggestions ?? SUGGESTED[`${place}.${name}`];
  if (entry.control === "toggle") {
    const written = typeof here.value === "string" ? here.value : null;
    if (written === null || written === "true" || written === "false")
      return (
        <Toggle
          label={label} help={help} disabled={body.readOnly} checked={here.value === true || here.value === "true"}
          onChange={(on) => told(here.set([], on ? true : undefined))}
        />
      );
  }
  if (entry.control === "map" || (entry.control === "list" && !options) || (entry.control === "line_or_list" && Array.isArray(here.value)))
    return (
      <Group label={label} help={help}>
        {entry.control === "map" ? <MapField label={label} body={here} /> : <ListField label={label} body={here} suggestions={known} placeholder={hint} />}
      </Group>
    );
  return (
    <Field label={label} help={help}>
      {(ids) => {
        if (options || entry.control === "select") {
          const all = options ?? [{ value: "", label: t("inspector.unset") }, ...(entry.enum ?? []).map((value) => ({ value, label: value }))];
          return (
            <Select
              {...ids} value={asText(here.value)} options={all} disabled={body.readOnly}
              onChange={(value) => told(here.set([], value === "" ? undefined : value))}
            />
          );
        }
        const common = { ...ids, value: asText(here.value), readOnly: body.readOnly, placeholder: hint };
        const commit = (now: string): Promise<string | null> | string | null => {
          const wrong = textError(now, entry);
          return wrong ?? here.set([], now === "" ? undefined : like(here.value, now, entry));
        };
        if (entry.control === "number")
          return (
            <NumberInput
              {...common} strict={entry.strict ?? false} whole={entry.whole} min={entry.minimum ?? entry.exclusiveMinimum} max={entry.maximum}
              onCommit={commit}
            />
          );
        if (multiline || asText(here.value).includes("\n")) return <TextArea {...common} mono={mono} onCommit={commit} />;
        return <TextInput {...common} mono={mono} suggestions={known} onCommit={commit} />;
      }}
    </Field>
  );
}

function textError(text: string, entry: { pattern?: string; maxLength?: number }): string | null {
  if (text === "" || text.includes("$")) return null; // what a variable brings is known later
  if (entry.maxLength !== undefined && text.length > entry.maxLength) return t("inspector.error.long", { most: entry.maxLength });
  if (entry.pattern && !new RegExp(entry.pattern).test(text)) return t("inspector.error.pattern");
  return null;
}

/** A label and help for what consists of several controls. */
export function Group({ label, help, children }: { label: string; help?: string; children: ReactNode }) {
  return (
    <Field label={label} help={help} asGroup>
      {() => children}
    </Field>
  );
}

/** A part of the form that folds; it says how much is in it. */
export function Section({ title, count, open, children }: { title: string; count?: number; open: boolean; children: ReactNode }) {
  return (
    <details className="d-section disclosure" open={open}>
      <summary>
        <svg className="icon chevron" aria-hidden="true" viewBox="0 0 24 24"><path d="M9 6l6 6l-6 6" /></svg>
        <h3>{title}</h3>
        {count ? <span className="d-count">{count}</span> : null}
      </summary>
      <div className="d-section-body">{children}</div>
    </details>
  );
}
