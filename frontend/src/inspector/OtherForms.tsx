import { Button } from "../app/controls";
import type { DrawingNode } from "../document/types";
import { useTargets } from "../deploy/targets";
import { t } from "../i18n";
import { useView } from "../store/view";
import { CloudField } from "./CloudField";
import { SchemaField, Section } from "./Fields";
import { FileBeside } from "./Files";
import type { Place } from "./schema";
import { countOf, ParentField } from "./ServiceForm";
import { asText, at, type Body, inner } from "./write";

interface Props {
  node: DrawingNode;
  body: Body;
}

function fields(place: Place, body: Body, names: readonly string[], more: Partial<Parameters<typeof SchemaField>[0]> = {}) {
  return names.map((name) => <SchemaField key={`${place}.${name}`} place={place} name={name} body={body} {...more} />);
}

/** Region, size and origin of a machine; a count makes it a pool. */
export function MachineForm({ node, body }: Props) {
  return (
    <Section title={t("inspector.section.machine")} open>
      <div className="d-grid">
        <ParentField node={node} body={body} kind="region" />
        <CloudField place="x-machine" body={body} />
        {fields("x-machine", body, ["cpus", "memory", "count", "template", "cluster", "datastore"], { mono: false })}
      </div>
      {fields("x-machine", body, ["description"], { multiline: true, mono: false })}
      <Inside node={node} />
    </Section>
  );
}

export function RegionForm({ node, body }: Props) {
  const clouds = useTargets((targets) => targets.clouds);
  return (
    <Section title={t("inspector.section.region")} open>
      {fields("x-region", body, ["title"], { mono: false })}
      <SchemaField place="x-region" name="cloud" body={body} mono={false} suggestions={clouds?.map(({ name }) => name)} />
      <Inside node={node} />
    </Section>
  );
}

/** Lead to what is in a group by keyboard and on a phone, where nobody sees it at once. */
function Inside({ node }: { node: DrawingNode }) {
  return (
    <p className="d-hint">
      <button type="button" className="link-button" onClick={() => useView.getState().set({ showOutline: true })}>
        {t("inspector.in_outline", { name: node.name })}
      </button>
    </p>
  );
}

export function VolumeForm({ body }: Props) {
  const extension = inner(body, ["x-escale"]);
  return (
    <>
      <Section title={t("inspector.section.volume")} open>
        <div className="d-grid">
          {fields("x-volume", extension, ["size", "filesystem", "datastore"])}
          {fields("volume", body, ["driver", "name"])}
        </div>
        {fields("volume", body, ["external"])}
      </Section>
      <Section title={t("inspector.section.labels")} count={countOf(body, ["labels"])} open={countOf(body, ["labels"]) > 0}>
        {fields("volume", body, ["labels"])}
      </Section>
    </>
  );
}

export function NetworkForm({ body }: Props) {
  const extension = inner(body, ["x-escale"]);
  return (
    <>
      <Section title={t("inspector.section.network_own")} open>
        <div className="d-grid">
          {fields("x-network", extension, ["subnet", "vlan"])}
          {fields("network", body, ["driver", "name"])}
        </div>
        {fields("network", body, ["internal", "external", "attachable"])}
      </Section>
      <Section title={t("inspector.section.labels")} count={countOf(body, ["labels"])} open={countOf(body, ["labels"]) > 0}>
        {fields("network", body, ["labels"])}
      </Section>
    </>
  );
}

/** A config or a secret: exactly one of the sources counts. */
export function FileForm({ node, body }: Props) {
  const place = node.kind === "secret" ? "secret" : "config";
  const file = asText(at(body.value, ["file"]));
  return (
    <>
      <Section title={t(`inspector.section.${place}`)} open>
        <p className="d-hint">{t("inspector.one_source")}</p>
        {fields(place, body, ["file", "environment"])}
        {place === "config" ? fields("config", body, ["content"], { multiline: true }) : null}
        {fields(place, body, ["external", "name"])}
      </Section>
      {file === "" ? null : <FileBeside file={file} />}
    </>
  );
}

/** What counts for the whole drawing: how it is placed and what machines are made of. */
export function ProjectForm({ body }: { body: Body }) {
  const extension = inner(body, ["x-escale"]);
  const machine = ["machine.min_cpus", "machine.max_cpus", "machine.min_memory", "machine.max_memory"];
  const defaults = ["defaults.cpus", "defaults.memory", "defaults.volume_size"];
  return (
    <>
      <Section title={t("inspector.section.placement")} count={countOf(extension, ["place", "placement", "isolation", "engine"])} open={false}>
        <div className="d-grid">
          <CloudField place="x-project" body={extension} />
          {fields("x-project", extension, ["placement", "isolation", "engine"])}
        </div>
      </Section>
      <Section title={t("inspector.section.origin")} count={countOf(extension, ["template", "cluster", "datastore", "network"])} open={false}>
        <div className="d-grid">{fields("x-project", extension, ["template", "cluster", "datastore", "network"], { mono: false })}</div>
      </Section>
      <Section title={t("inspector.section.bounds")} count={countOf(extension, ["machine", "defaults"])} open={false}>
        <div className="d-grid">
          {fields("x-project", extension, machine)}
          {fields("x-project", extension, defaults)}
        </div>
      </Section>
    </>
  );
}

/** Ask for what the removal would take along, or do it when that is nothing. */
export function RemoveButton() {
  return (
    <Button small tone="danger" icon="trash" onClick={() => useView.getState().set({ dialog: "remove" })}>
      {t("inspector.delete")}
    </Button>
  );
}
