import { useState } from "react";

import { Select, TextInput } from "../app/controls";
import type { NodeId } from "../document/types";
import { t } from "../i18n";
import { RemoveRow, Rows } from "./Lists";
import { AddFrom } from "./Mounts";
import { entryOf } from "./schema";
import { useNames } from "./useNames";
import { asText, at, type Body, isMap, run, told } from "./write";

const connect = (kind: "depends_on" | "network", source: NodeId, target: NodeId): Promise<string | null> =>
  run({ do: "connect", kind, source, target });

/** What a service waits for. A list cannot say for what: another condition than the usual one makes it a map. */
export function DependsField({ label, body, service }: { label: string; body: Body; service: NodeId }) {
  const services = useNames("service");
  const [error, setError] = useState<string | null>(null);
  const asList = Array.isArray(body.value);
  const names = asList ? (body.value as unknown[]).map(asText) : isMap(body.value) ? Object.keys(body.value) : [];
  const conditions = entryOf("service", "depends_on.*.condition").enum ?? [];
  const own = service.slice("service:".length);
  const choose = async (name: string, condition: string): Promise<void> => {
    if (!asList) return setError(await body.set([name, "condition"], condition));
    if (condition === "service_started") return;
    const map = Object.fromEntries(names.map((each) => [each, { condition: each === name ? condition : "service_started" }]));
    setError(await body.set([], map));
  };
  return (
    <Rows label={label}>
      {names.map((name, index) => (
        <div className="d-pair d-pair-fixed" key={name}>
          <span className="d-name-cell mono clip" title={name}>{name}</span>
          <div>
            <Select
              value={asList ? "service_started" : asText(at(body.value, [name, "condition"])) || "service_started"}
              disabled={body.readOnly} aria-label={t("inspector.condition_of", { name })}
              options={conditions.map((value) => ({ value, label: t(`inspector.condition.${value}`) }))}
              onChange={(condition) => void choose(name, condition)}
            />
          </div>
          {body.readOnly ? null : <RemoveRow what={name} onClick={() => told(body.set([asList ? index : name], undefined))} />}
        </div>
      ))}
      <AddFrom
        names={services.filter((name) => name !== own && !names.includes(name))} readOnly={body.readOnly} error={error} none=""
        label={t("inspector.add_depends")} onAdd={(name) => void connect("depends_on", service, `service:${name}`).then(setError)}
      />
    </Rows>
  );
}

/** The networks of a service; the map's entries carry aliases and addresses. */
export function NetworksField({ label, body, service }: { label: string; body: Body; service: NodeId }) {
  const networks = useNames("network");
  const [error, setError] = useState<string | null>(null);
  const asList = Array.isArray(body.value);
  const names = asList ? (body.value as unknown[]).map(asText) : isMap(body.value) ? Object.keys(body.value) : [];
  return (
    <Rows label={label}>
      {names.length ? null : <p className="d-hint">{t("inspector.default_network")}</p>}
      {names.map((name, index) => {
        const aliases = at(body.value, [name, "aliases"]);
        const address = at(body.value, [name, "ipv4_address"]);
        return (
          <div className="d-pair d-pair-fixed" key={name}>
            <span className="d-name-cell mono clip" title={name}>{name}</span>
            {asList ? (
              <span />
            ) : (
              <div>
                <TextInput
                  mono readOnly={body.readOnly} placeholder={t("inspector.aliases")} aria-label={t("inspector.aliases_of", { name })}
                  value={Array.isArray(aliases) ? aliases.map(asText).join(", ") : ""}
                  onCommit={(now) => {
                    const wanted = now.split(/[\s,]+/).filter(Boolean);
                    return body.set([name, "aliases"], wanted.length ? wanted : undefined);
                  }}
                />
                {address === undefined ? null : (
                  <TextInput
                    mono readOnly={body.readOnly} aria-label={t("inspector.address_of", { name })} value={asText(address)}
                    onCommit={(now) => body.set([name, "ipv4_address"], now === "" ? undefined : now)}
                  />
                )}
              </div>
            )}
            {body.readOnly ? null : <RemoveRow what={name} onClick={() => told(body.set([asList ? index : name], undefined))} />}
          </div>
        );
      })}
      <AddFrom
        names={networks.filter((name) => !names.includes(name))} readOnly={body.readOnly} error={error} none=""
        label={t("inspector.add_network")} onAdd={(name) => void connect("network", service, `network:${name}`).then(setError)}
      />
    </Rows>
  );
}

/** `{services, mode}` or a list of these: who must or should share a machine, or not. */
export function AffinityField({ label, body }: { label: string; body: Body }) {
  const services = useNames("service");
  const asList = Array.isArray(body.value);
  const all = asList ? (body.value as unknown[]) : body.value == null ? [] : [body.value];
  const path = (index: number, key: string): (string | number)[] => (asList ? [index, key] : [key]);
  return (
    <Rows label={label}>
      {all.map((relation, index) => {
        const named = at(relation, ["services"]);
        const text = Array.isArray(named) ? named.map(asText).join(", ") : "";
        return (
          <div className="d-pair" key={index}>
            <div>
              <TextInput
                mono value={text} readOnly={body.readOnly} aria-label={t("inspector.affinity_services", { field: label })}
                onCommit={(now) => {
                  const wanted = now.split(/[\s,]+/).filter(Boolean);
                  const unknown = wanted.find((name) => !services.includes(name));
                  if (unknown) return t("inspector.error.no_service", { name: unknown });
                  return wanted.length ? body.set(path(index, "services"), wanted) : body.set(asList ? [index] : [], undefined);
                }}
              />
            </div>
            <div>
              <Select
                value={asText(at(relation, ["mode"])) || "hard"} disabled={body.readOnly} aria-label={t("inspector.affinity_mode", { field: label })}
                options={[{ value: "hard", label: t("inspector.mode_hard") }, { value: "soft", label: t("inspector.mode_soft") }]}
                onChange={(mode) => told(body.set(path(index, "mode"), mode))}
              />
            </div>
            {body.readOnly ? null : <RemoveRow what={text} onClick={() => told(body.set(asList ? [index] : [], undefined))} />}
          </div>
        );
      })}
      <AddFrom
        names={services} readOnly={body.readOnly} none="" error={null} label={t("inspector.add_affinity")}
        onAdd={(name) => {
          const relation = { services: [name], mode: "soft" };
          if (asList) told(body.set([all.length], relation));
          else told(body.set([], all.length ? [all[0], relation] : relation));
        }}
      />
    </Rows>
  );
}
