import { Field, TextInput } from "../app/controls";
import type { DrawingNode, ServiceNode } from "../document/types";
import { t } from "../i18n";
import { useDocument } from "../store/document";
import { CloudField } from "./CloudField";
import { Group, SchemaField, Section } from "./Fields";
import { ListField, TestField } from "./Lists";
import { GrantsField, MountsField } from "./Mounts";
import { PortsField } from "./Ports";
import { AffinityField, DependsField, NetworksField } from "./Relations";
import { helpOf, labelOf } from "./schema";
import { useNames } from "./useNames";
import { asText, at, type Body, inner, isMap, run, told } from "./write";

/** How many of these keys a body has. */
export function countOf(body: Body, keys: readonly string[]): number {
  return keys.filter((key) => at(body.value, key.split(".")) !== undefined).length;
}

const PARTS = {
  general: ["image", "build", "command", "entrypoint", "restart", "container_name", "user", "working_dir"],
  place: ["x-escale", "deploy"],
  network: ["ports", "expose", "networks", "depends_on"],
  storage: ["volumes", "configs", "secrets"],
  environment: ["environment", "env_file"],
  health: ["healthcheck"],
  labels: ["labels", "profiles"],
} as const;

/** The keys of a service that have controls; all others are in the YAML below them. */
export const COVERED: readonly string[] = Object.values(PARTS).flat();

export function ServiceForm({ node, body }: { node: ServiceNode; body: Body }) {
  const field = (name: string, more: Partial<Parameters<typeof SchemaField>[0]> = {}) => (
    <SchemaField key={name} place="service" name={name} body={body} {...more} />
  );
  const group = (name: string, of: (label: string, below: Body) => React.ReactNode) => (
    <Group label={labelOf("service", name)} help={helpOf("service", name)}>
      {of(labelOf("service", name), inner(body, name.split(".")))}
    </Group>
  );
  const section = (id: keyof typeof PARTS, children: React.ReactNode, always = false) => {
    const count = countOf(body, PARTS[id]);
    return (
      <Section key={id} title={t(`inspector.section.${id}`)} count={id === "general" ? undefined : count} open={always || count > 0}>
        {children}
      </Section>
    );
  };
  return (
    <>
      {section("general", <>
        {field("image")}
        <BuildFields body={body} />
        {field("command")}
        {field("entrypoint")}
        <div className="d-grid">
          {field("restart", { options: RESTARTS(asText(at(body.value, ["restart"]))) })}
          {field("container_name")}
          {field("user")}
          {field("working_dir")}
        </div>
      </>, true)}
      {section("network", <>
        {group("ports", (label, below) => <PortsField label={label} body={below} />)}
        {group("networks", (label, below) => <NetworksField label={label} body={below} service={node.id} />)}
        {group("depends_on", (label, below) => <DependsField label={label} body={below} service={node.id} />)}
        {field("expose")}
      </>)}
      {section("environment", <>
        {field("environment")}
        {group("env_file", (label, below) => <EnvFiles label={label} body={below} />)}
      </>)}
      {section("storage", <>
        {group("volumes", (label, below) => <MountsField label={label} body={below} />)}
        {group("configs", (label, below) => <GrantsField kind="config" label={label} body={below} service={node.id} />)}
        {group("secrets", (label, below) => <GrantsField kind="secret" label={label} body={below} service={node.id} />)}
      </>)}
      {section("place", <PlaceFields node={node} body={body} />)}
      {section("health", <>
        {group("healthcheck.test", (label, below) => <TestField label={label} body={below} />)}
        <div className="d-grid">
          {["interval", "timeout", "retries", "start_period"].map((key) => field(`healthcheck.${key}`))}
        </div>
        {field("healthcheck.disable")}
      </>)}
      {section("labels", <>
        {field("labels")}
        {field("profiles")}
      </>)}
    </>
  );
}

const RESTARTS = (now: string) => [
  { value: "", label: t("inspector.unset") },
  ...["no", "always", "on-failure", "unless-stopped"].map((value) => ({ value, label: value })),
  ...(now.startsWith("on-failure:") ? [{ value: now, label: now }] : []),
];

/** `build: .` and `build: {context: .}` are the same; a second key makes the first form the second one. */
function BuildFields({ body }: { body: Body }) {
  const value = at(body.value, ["build"]);
  const line = typeof value === "string";
  const set = (key: string) => (now: string): Promise<string | null> => {
    if (key === "context") return body.set(line || value === undefined ? ["build"] : ["build", key], now === "" ? undefined : now);
    if (line) return now === "" ? Promise.resolve(null) : body.set(["build"], { context: value, [key]: now });
    return body.set(["build", key], now === "" ? undefined : now);
  };
  const one = (key: "context" | "dockerfile" | "target") => (
    <Field key={key} label={labelOf("service", `build.${key}`)} help={helpOf("service", `build.${key}`)}>
      {(ids) => (
        <TextInput
          {...ids} mono readOnly={body.readOnly} placeholder={key === "context" ? "." : key === "dockerfile" ? "Dockerfile" : ""}
          value={asText(line ? (key === "context" ? value : "") : at(value, [key]))} onCommit={set(key)}
        />
      )}
    </Field>
  );
  return (
    <>
      <div className="d-grid">
        {one("context")}
        {value === undefined ? null : one("dockerfile")}
        {value === undefined ? null : one("target")}
      </div>
      {isMap(value) ? <SchemaField place="service" name="build.args" body={body} /> : null}
    </>
  );
}

/** A path, a list of paths, or entries that say more. */
function EnvFiles({ label, body }: { label: string; body: Body }) {
  if (!Array.isArray(body.value) || !body.value.some(isMap)) return <ListField label={label} body={body} placeholder=".env" />;
  return (
    <div className="d-rows">
      {body.value.map((item: unknown, index) => (
        <TextInput
          key={index} mono readOnly={body.readOnly} value={asText(isMap(item) ? item.path : item)} aria-label={t("inspector.item", { field: label, number: index + 1 })}
          onCommit={(now) => body.set(now === "" ? [index] : isMap(item) ? [index, "path"] : [index], now === "" ? undefined : now)}
        />
      ))}
    </div>
  );
}

/** Where its containers stand, how many they are, and how much they take. */
function PlaceFields({ node, body }: { node: DrawingNode; body: Body }) {
  const extension = inner(body, ["x-escale"]);
  const own = (name: string, more: Partial<Parameters<typeof SchemaField>[0]> = {}) => (
    <SchemaField key={name} place="x-service" name={name} body={extension} {...more} />
  );
  return (
    <>
      <div className="d-grid">
        <ParentField node={node} body={body} kind="machine" />
        {at(body.value, ["x-escale", "machine"]) === undefined ? <ParentField node={node} body={body} kind="region" /> : null}
        {at(body.value, ["x-escale", "machine"]) === undefined ? <CloudField place="x-service" body={extension} /> : null}
        <SchemaField place="service" name="deploy.replicas" body={body} placeholder="1" />
        <SchemaField place="service" name="deploy.resources.limits.cpus" body={body} />
        <SchemaField place="service" name="deploy.resources.limits.memory" body={body} />
        <SchemaField place="service" name="deploy.resources.reservations.cpus" body={body} />
        <SchemaField place="service" name="deploy.resources.reservations.memory" body={body} />
        {own("cpus")}
        {own("memory")}
        {own("isolation")}
        {own("placement")}
        {own("scale.min")}
        {own("scale.max")}
      </div>
      {(["anti_affinity", "affinity"] as const).map((name) => (
        <Group key={name} label={labelOf("x-service", name)} help={helpOf("x-service", name)}>
          <AffinityField label={labelOf("x-service", name)} body={inner(extension, [name])} />
        </Group>
      ))}
      {own("uses", { suggestions: [] })}
    </>
  );
}

/**
 * The machine or region that a node is in. A card that moves into another group forgets its old place, which was
 * one in the group before; the layout finds it a new one.
 */
export function ParentField({ node, body, kind }: { node: DrawingNode; body: Body; kind: "machine" | "region" }) {
  const names = useNames(kind);
  const below = node.kind === "service" ? ["x-escale"] : [];
  const value = asText(at(body.value, [...below, kind]));
  const place = node.kind === "machine" ? "x-machine" : "x-service";
  if (names.length === 0 && value === "") return null;
  return (
    <Field label={labelOf(place, kind)} help={helpOf(place, kind)}>
      {(ids) => (
        <select
          {...ids} className="select" value={value} disabled={body.readOnly}
          onChange={(event) => told(move(node, body, [...below, kind], event.target.value))}
        >
          <option value="">{t(kind === "machine" ? "inspector.any_machine" : "inspector.any_region")}</option>
          {(names.includes(value) || value === "" ? names : [value, ...names]).map((name) => <option key={name}>{name}</option>)}
        </select>
      )}
    </Field>
  );
}

async function move(node: DrawingNode, body: Body, path: string[], to: string): Promise<string | null> {
  const { drawing } = useDocument.getState();
  const kind = path[path.length - 1] ?? "";
  const machine = kind === "machine" && drawing.nodes.find((each) => each.id === `machine:${to}`);
  if (node.at === null && !machine) return body.set(path, to === "" ? undefined : to);
  const changes: { path: readonly (string | number)[]; value: unknown }[] = [];
  const siblings = at(body.value, path.slice(0, -1));
  // A machine implies its region, so that a region of its own could only contradict it.
  if (machine && isMap(siblings) && siblings.region !== undefined) changes.push({ path: [...body.path, ...path.slice(0, -1), "region"], value: undefined });
  changes.push({ path: [...body.path, ...path], value: to === "" ? undefined : to });
  if (node.at !== null) changes.push({ path: ["x-escale", "canvas", `${node.kind}s`, node.name], value: undefined });
  return run({ do: "set_many", changes });
}
