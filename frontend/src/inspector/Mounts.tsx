import { useState } from "react";

import { Field, Select, TextInput, Toggle } from "../app/controls";
import type { NodeId } from "../document/types";
import { t } from "../i18n";
import { RemoveRow, Rows, useFocusOf } from "./Lists";
import { entryOf, helpOf, labelOf } from "./schema";
import { readMount, type ShortMount, writeMount } from "./short";
import { useNames } from "./useNames";
import { asText, type Body, inner, isMap, run, told } from "./write";

/** Volumes and bind mounts of a service, in either syntax. */
export function MountsField({ label, body }: { label: string; body: Body }) {
  const [adding, setAdding] = useState(false);
  const volumes = useNames("volume");
  const list = Array.isArray(body.value) ? (body.value as unknown[]) : [];
  const long = list.length > 0 && list.every(isMap);
  return (
    <Rows label={label} onAdd={body.readOnly || adding ? null : () => setAdding(true)} addLabel={t("inspector.add_mount")}>
      {list.map((item, index) =>
        isMap(item) ? (
          <LongMount key={index} body={inner(body, [index])} volumes={volumes} />
        ) : (
          <Short key={index} item={item} index={index} body={body} volumes={volumes} />
        ),
      )}
      {adding ? (
        <NewMount
          volumes={volumes}
          onCancel={() => setAdding(false)}
          onDone={async (source, target) => {
            const named = source !== "" && !/^[./~$\\]/.test(source);
            const value = long ? { type: named ? "volume" : source ? "bind" : "volume", ...(source ? { source } : {}), target } : writeMount({ source, target, mode: "" });
            const change = list.length ? { path: [...body.path, list.length], value } : { path: body.path, value: [value] };
            // A name that nothing declares is no volume: it is declared with the mount, as one step.
            const declares = named && !volumes.includes(source) ? [{ path: ["volumes", source], value: null }] : [];
            const refused = await run({ do: "set_many", changes: [change, ...declares] });
            if (refused === null) setAdding(false);
            return refused;
          }}
        />
      ) : null}
    </Rows>
  );
}

const targetError = (target: string): string | null => (/^([/$]|[A-Za-z]:)/.test(target) ? null : t("inspector.error.target"));

function Short({ item, index, body, volumes }: { item: unknown; index: number; body: Body; volumes: readonly string[] }) {
  const text = asText(item);
  const mount = readMount(text);
  const remove = body.readOnly ? null : <RemoveRow what={text} onClick={() => told(body.set([index], undefined))} />;
  if (!mount)
    return (
      <div className="d-row-field">
        <div className="grow">
          <TextInput
            mono value={text} readOnly={body.readOnly} aria-label={t("inspector.mount_line", { mount: text })}
            onCommit={(now) => body.set([index], now === "" ? undefined : now)}
          />
        </div>
        {remove}
      </div>
    );
  const set = (part: Partial<ShortMount>): Promise<string | null> => body.set([index], writeMount({ ...mount, ...part }));
  return (
    <div className="d-mount">
      <div className="d-mount-source">
        <TextInput
          mono value={mount.source} readOnly={body.readOnly} suggestions={volumes} placeholder={t("inspector.anonymous")}
          aria-label={t("inspector.mount_source", { mount: text })} onCommit={(source) => set({ source })}
        />
      </div>
      <span className="d-arrow" aria-hidden="true">→</span>
      <div className="d-mount-target">
        <TextInput
          mono value={mount.target} readOnly={body.readOnly} aria-label={t("inspector.mount_target", { mount: text })}
          onCommit={(target) => targetError(target) ?? set({ target })}
        />
      </div>
      <div className="d-mount-mode">
        <Select
          value={mount.mode} disabled={body.readOnly} aria-label={t("inspector.mount_mode", { mount: text })}
          options={[{ value: "", label: t("inspector.mode_rw") }, { value: "ro", label: t("inspector.mode_ro") }]}
          onChange={(mode) => told(set({ mode }))}
        />
      </div>
      {remove}
    </div>
  );
}

function LongMount({ body, volumes }: { body: Body; volumes: readonly string[] }) {
  const value = isMap(body.value) ? body.value : {};
  const name = `${asText(value.source)}:${asText(value.target)}`;
  const line = (key: "source" | "target", suggestions?: readonly string[]) => (
    <Field label={labelOf("service", `volumes[].${key}`)} help={helpOf("service", `volumes[].${key}`)}>
      {(ids) => (
        <TextInput
          {...ids} mono value={asText(value[key])} readOnly={body.readOnly} suggestions={suggestions}
          onCommit={(now) => (key === "target" ? targetError(now) : null) ?? body.set([key], now === "" ? undefined : now)}
        />
      )}
    </Field>
  );
  return (
    <div className="d-box">
      <div className="d-box-head">
        <span className="mono">{name}</span>
        {body.readOnly ? null : <RemoveRow what={name} onClick={() => told(body.set([], undefined))} />}
      </div>
      <div className="d-grid">
        <Field label={labelOf("service", "volumes[].type")} help={helpOf("service", "volumes[].type")}>
          {(ids) => (
            <Select
              {...ids} value={asText(value.type)} disabled={body.readOnly}
              options={(entryOf("service", "volumes[].type").enum ?? []).map((each) => ({ value: each, label: each }))}
              onChange={(type) => told(body.set(["type"], type))}
            />
          )}
        </Field>
        {value.type === "tmpfs" ? null : line("source", value.type === "volume" ? volumes : undefined)}
        {line("target")}
        <Toggle
          label={labelOf("service", "volumes[].read_only")} help={helpOf("service", "volumes[].read_only")} disabled={body.readOnly}
          checked={value.read_only === true} onChange={(on) => told(body.set(["read_only"], on ? true : undefined))}
        />
      </div>
    </div>
  );
}

function NewMount({ volumes, onDone, onCancel }: { volumes: readonly string[]; onDone: (source: string, target: string) => Promise<string | null>; onCancel: () => void }) {
  const [source, setSource] = useState("");
  const row = useFocusOf(true);
  return (
    <div className="d-mount" ref={row}>
      <div className="d-mount-source">
        <TextInput
          mono value={source} suggestions={volumes} placeholder={t("inspector.mount_source_hint")} aria-label={t("inspector.new_mount_source")}
          onCommit={(now) => {
            setSource(now);
            row.current?.querySelectorAll("input")[1]?.focus();
            return null;
          }}
        />
      </div>
      <span className="d-arrow" aria-hidden="true">→</span>
      <div className="d-mount-target">
        <TextInput
          mono value="" placeholder="/data" aria-label={t("inspector.new_mount_target")}
          onCommit={(now) => targetError(now) ?? onDone(source, now)}
        />
      </div>
      <RemoveRow what={t("inspector.new_mount")} onClick={onCancel} />
    </div>
  );
}

/** Configs or secrets that a service may read: a name, or an entry with the place of the file. */
export function GrantsField({ kind, label, body, service }: { kind: "config" | "secret"; label: string; body: Body; service: NodeId }) {
  const names = useNames(kind);
  const [error, setError] = useState<string | null>(null);
  const list = Array.isArray(body.value) ? (body.value as unknown[]) : [];
  const granted = list.map((item) => asText(isMap(item) ? item.source : item));
  const free = names.filter((name) => !granted.includes(name));
  return (
    <Rows label={label}>
      {list.map((item, index) => {
        const name = granted[index] ?? "";
        return (
          <div className="d-mount" key={index}>
            <div className="d-mount-source">
              <Select
                value={name} disabled={body.readOnly} aria-label={t("inspector.grant_source", { name })}
                options={names.map((each) => ({ value: each, label: each }))}
                onChange={(source) => told(body.set(isMap(item) ? [index, "source"] : [index], source))}
              />
            </div>
            <span className="d-arrow" aria-hidden="true">→</span>
            <div className="d-mount-target">
              <TextInput
                mono value={isMap(item) ? asText(item.target) : ""} readOnly={body.readOnly}
                placeholder={kind === "secret" ? `/run/secrets/${name}` : `/${name}`} aria-label={t("inspector.grant_target", { name })}
                onCommit={(target) => {
                  if (isMap(item)) return body.set([index, "target"], target === "" ? undefined : target);
                  return target === "" ? null : body.set([index], { source: name, target });
                }}
              />
            </div>
            {body.readOnly ? null : <RemoveRow what={name} onClick={() => told(body.set([index], undefined))} />}
          </div>
        );
      })}
      <AddFrom
        names={free} readOnly={body.readOnly} label={t(kind === "secret" ? "inspector.add_secret" : "inspector.add_config")} error={error}
        none={list.length ? "" : t(kind === "secret" ? "inspector.no_secrets" : "inspector.no_configs")}
        onAdd={async (name) => {
          setError(await run({ do: "connect", kind, source: service, target: `${kind}:${name}` }));
        }}
      />
    </Rows>
  );
}

interface AddFromProps {
  names: readonly string[];
  label: string;
  none: string;
  readOnly: boolean;
  error: string | null;
  onAdd: (name: string) => void;
}

/** Choose one more from what the drawing has. */
export function AddFrom({ names, label, none, readOnly, error, onAdd }: AddFromProps) {
  if (readOnly) return null;
  if (names.length === 0) return none ? <p className="d-hint">{none}</p> : null;
  return (
    <>
      <Select
        value="" aria-label={label} options={[{ value: "", label }, ...names.map((name) => ({ value: name, label: name }))]}
        onChange={(name) => name && onAdd(name)}
      />
      {error ? <p className="d-error" role="alert">{error}</p> : null}
    </>
  );
}
