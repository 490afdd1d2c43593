import { useState } from "react";

import { Field, NumberInput, Select, TextInput } from "../app/controls";
import { t } from "../i18n";
import { RemoveRow, Rows, useFocusOf } from "./Lists";
import { entryOf, helpOf, labelOf } from "./schema";
import { readPort, type ShortPort, writePort } from "./short";
import { asText, type Body, inner, isMap, like, told } from "./write";

const PORT = /^(\d{1,5}(-\d{1,5})?|\$\{.+\}|\$\w+)$/;

function portError(text: string, mayBeEmpty: boolean): string | null {
  if (text === "" && mayBeEmpty) return null;
  if (!PORT.test(text)) return t("inspector.error.port");
  const numbers = text.split("-").map(Number);
  if (numbers.some((number) => number > 65_535)) return t("inspector.error.port");
  const [from = 0, to = from] = numbers;
  return to < from ? t("inspector.error.range") : null;
}

/** Published ports: short ones as a line with its parts, long ones by field. */
export function PortsField({ label, body }: { label: string; body: Body }) {
  const [adding, setAdding] = useState(false);
  const fresh = useFocusOf(adding);
  const list = Array.isArray(body.value) ? (body.value as unknown[]) : [];
  const long = list.length > 0 && list.every(isMap);
  const add = async (target: string): Promise<string | null> => {
    const wrong = portError(target, true);
    if (wrong) return wrong;
    if (target === "") {
      setAdding(false);
      return null;
    }
    const value = long ? { target: like(1, target), published: target } : `${target}:${target}`;
    const refused = await (list.length ? body.set([list.length], value) : body.set([], [value]));
    if (refused === null) setAdding(false);
    return refused;
  };
  return (
    <Rows label={label} onAdd={body.readOnly || adding ? null : () => setAdding(true)} addLabel={t("inspector.add_port")}>
      {list.map((item, index) =>
        isMap(item) ? <LongPort key={index} body={inner(body, [index])} /> : <Short key={index} item={item} index={index} body={body} />,
      )}
      {adding ? (
        <div className="d-row-field" ref={fresh}>
          <div className="grow">
            <TextInput mono value="" inputMode="numeric" placeholder="8080" aria-label={t("inspector.new_port")} onCommit={add} />
          </div>
          <RemoveRow what={t("inspector.new_port")} onClick={() => setAdding(false)} />
        </div>
      ) : null}
    </Rows>
  );
}

function Short({ item, index, body }: { item: unknown; index: number; body: Body }) {
  const text = asText(item);
  const port = readPort(text);
  const remove = body.readOnly ? null : <RemoveRow what={text} onClick={() => told(body.set([index], undefined))} />;
  if (!port)
    return (
      <div className="d-row-field">
        <div className="grow">
          <TextInput
            mono value={text} readOnly={body.readOnly} aria-label={t("inspector.port_line", { port: text })}
            onCommit={(now) => body.set([index], now === "" ? undefined : now)}
          />
        </div>
        {remove}
      </div>
    );
  const set = (part: Partial<ShortPort>): Promise<string | null> => body.set([index], like(item, writePort({ ...port, ...part })));
  return (
    <div className="d-port">
      {port.ip ? (
        <div className="d-port-ip">
          <TextInput mono value={port.ip} readOnly={body.readOnly} aria-label={t("inspector.port_ip", { port: text })} onCommit={(ip) => set({ ip })} />
        </div>
      ) : null}
      <div className="d-port-number">
        <TextInput
          mono value={port.published} readOnly={body.readOnly} placeholder={t("inspector.any_port")}
          aria-label={t("inspector.port_published", { port: text })}
          onCommit={(published) => portError(published, true) ?? set({ published, ...(published ? {} : { ip: "" }) })}
        />
      </div>
      <span className="d-arrow" aria-hidden="true">→</span>
      <div className="d-port-number">
        <TextInput
          mono value={port.target} readOnly={body.readOnly} aria-label={t("inspector.port_target", { port: text })}
          onCommit={(target) => portError(target, false) ?? set({ target })}
        />
      </div>
      <div className="d-port-protocol">
        <Select
          value={port.protocol} disabled={body.readOnly} aria-label={t("inspector.port_protocol", { port: text })}
          options={[{ value: "", label: "tcp" }, ...(port.protocol === "tcp" ? [{ value: "tcp", label: "tcp" }] : []), { value: "udp", label: "udp" }]}
          onChange={(protocol) => told(set({ protocol }))}
        />
      </div>
      {remove}
    </div>
  );
}

const LONG = ["published", "target", "protocol", "host_ip", "app_protocol", "name", "mode"] as const;
const ALWAYS = new Set<string>(["published", "target", "protocol"]);

function LongPort({ body }: { body: Body }) {
  const value = isMap(body.value) ? body.value : {};
  const name = `${asText(value.published)}:${asText(value.target)}`;
  return (
    <div className="d-box">
      <div className="d-box-head">
        <span className="mono">{name}</span>
        {body.readOnly ? null : <RemoveRow what={name} onClick={() => told(body.set([], undefined))} />}
      </div>
      <div className="d-grid">
        {LONG.filter((key) => ALWAYS.has(key) || value[key] !== undefined).map((key) => (
          <Field key={key} label={labelOf("service", `ports[].${key}`)} help={helpOf("service", `ports[].${key}`)}>
            {(ids) =>
              key === "target" || key === "published" ? (
                <TextInput
                  {...ids} mono value={asText(value[key])} readOnly={body.readOnly}
                  onCommit={(now) => portError(now, key === "published") ?? body.set([key], now === "" ? undefined : like(value[key], now))}
                />
              ) : (
                <TextInput
                  {...ids} mono value={asText(value[key])} readOnly={body.readOnly}
                  suggestions={key === "protocol" ? ["tcp", "udp"] : undefined} placeholder={key === "protocol" ? "tcp" : undefined}
                  onCommit={(now) => body.set([key], now === "" ? undefined : now)}
                />
              )
            }
          </Field>
        ))}
      </div>
    </div>
  );
}

/** One number of the schema, with its bounds. */
export function BoundNumber({ place, name, body, path, ids }: {
  place: Parameters<typeof entryOf>[0]; name: string; body: Body; path: readonly string[];
  ids: { id: string; "aria-describedby": string | undefined };
}) {
  const entry = entryOf(place, name);
  const value = inner(body, path).value;
  return (
    <NumberInput
      {...ids} value={asText(value)} readOnly={body.readOnly} strict={entry.strict ?? false} whole={entry.whole}
      min={entry.minimum} max={entry.maximum}
      onCommit={(now) => body.set(path, now === "" ? undefined : like(typeof value === "string" ? value : 1, now))}
    />
  );
}
