import "./deploy.css";

import { useEffect, useMemo, useState } from "react";

import type { Boot } from "../app/boot";
import { Banner, Button, EmptyState, Field, Icon, Select, Skeleton, TextInput } from "../app/controls";
import { t } from "../i18n";
import { useDocument } from "../store/document";
import { useSync } from "../store/sync";
import { useView } from "../store/view";
import { CloudFigures, Crossings } from "./Across";
import { Counts, LedgerCounts } from "./figures";
import { buildOnly, forgetPlans, makePlans, usePlans } from "./planning";
import { PlannedChanges } from "./PlannedChanges";
import { type PreviewOf, usePreviews } from "./previews";
import { Problem } from "./Problem";
import { loadTargets, type Region, regionsOf, targetOf, useTargets } from "./targets";

/** Choose where the drawing goes, see what it would take, plan it, start it. */
export function PlanPanel({ boot }: { boot: Boot }) {
  const clouds = useTargets((targets) => targets.clouds);
  const error = useTargets((targets) => targets.error);
  const blueprint = useSync((sync) => sync.blueprint);
  const drawing = useDocument((state) => state.drawing);
  const plans = usePlans();
  const text = useDocument((state) => state.text);
  const regions = useMemo(() => regionsOf(drawing), [drawing]);

  useEffect(() => {
    if (boot.may.deploy) void loadTargets(blueprint?.id ?? null);
  }, [boot.may.deploy, blueprint?.id]);

  if (!boot.may.deploy) return <EmptyState icon="lock" title={t("deploy.may_not")}>{t("deploy.may_not_text", { project: boot.project.name })}</EmptyState>;
  if (clouds === null && error) return <Problem error={error} again={() => void loadTargets(blueprint?.id ?? null)} />;
  if (clouds === null) return <Skeleton lines={8} />;
  if (clouds.filter(({ enabled }) => enabled).length === 0) {
    return <EmptyState icon="cloud-off" title={t("deploy.no_clouds")} actions={<a className="button" href="/clouds/">{t("deploy.to_clouds")}</a>}>{t("deploy.no_clouds_text")}</EmptyState>;
  }
  if (plans.plans.length > 0) {
    return <PlannedChanges boot={boot} regions={regions} outdated={plans.text !== text} again={() => void makePlans(boot)} back={forgetPlans} />;
  }
  return (
    <section className="d-plan" aria-label={t("deploy.plan")} aria-busy={plans.busy !== null}>
      <p className="d-plan-intro">{t("deploy.plan_text")}</p>
      <Images />
      {regions.map((region) => <Where key={region.name} region={region} boot={boot} />)}
      {plans.problem ? <Problem error={plans.problem} /> : null}
      <PlanButton boot={boot} regions={regions} />
    </section>
  );
}

function PlanButton({ boot, regions }: { boot: Boot; regions: Region[] }) {
  const targets = useTargets();
  const busy = usePlans((plans) => plans.busy);
  const broken = useDocument((state) => state.broken.length > 0);
  const empty = useDocument((state) => !state.drawing.nodes.some(({ kind }) => kind === "service" || kind === "machine"));
  const byRegion = usePreviews((previews) => previews.byRegion);
  const chosen = regions.filter((region) => targetOf(region, targets, boot.deployment).cloud);
  const invalid = chosen.some(({ name }) => byRegion[name]?.preview?.valid === false);
  const blocked = chosen.some(({ name }) => byRegion[name]?.preview?.blocked);
  const lacking = blocked && buildOnly().some((service) => chosen.some((region) => !targetOf(region, targets, boot.deployment).images[service]));
  const why = empty ? "deploy.why.empty" : broken || invalid ? "deploy.why.broken" : chosen.length === 0 ? "deploy.why.cloud" : lacking ? "deploy.why.images" : blocked ? "deploy.why.blocked" : null;
  return (
    <div className="d-plan-foot">
      <Button tone="primary" icon="list-details" aria-disabled={why !== null || busy !== null} aria-describedby="d-plan-why" onClick={() => why === null && void makePlans(boot)}>
        {busy === "planning" ? t("deploy.planning") : chosen.length > 1 ? t("deploy.plan_regions", { count: chosen.length }) : t("deploy.plan_do")}
      </Button>
      <p id="d-plan-why" className="quiet">{t(why ?? (chosen.length < regions.length ? "deploy.why.some" : "deploy.why.nothing_touched"))}</p>
    </div>
  );
}

/** One region: which cloud, new or an update, and what the present text would take there. */
function Where({ region, boot }: { region: Region; boot: Boot }) {
  const targets = useTargets();
  const target = targetOf(region, targets, boot.deployment);
  const existing = targets.deployments.filter((one) => one.region === region.name && one.state !== "destroyed");
  const clouds = (targets.clouds ?? []).filter(({ enabled }) => enabled);
  const result = usePreviews((previews) => previews.byRegion[region.name]);
  const loading = usePreviews((previews) => previews.loading);
  const missing = region.cloud !== "" && !clouds.some(({ name }) => name === region.cloud);
  return (
    <section className="d-where" aria-label={region.title || t("deploy.whole_drawing")}>
      {region.name ? <h3><Icon name="map-pin" /> {region.title}</h3> : null}
      {existing.length > 0 ? (
        <Field label={t("deploy.what")}>
          {(ids) => (
            <Select
              {...ids} value={target.deployment} onChange={(deployment) => targets.choose(region.name, { deployment })}
              options={[
                ...existing.map(({ id, name, cloud }) => ({ value: id, label: t("deploy.update_of", { name, cloud: cloud.name }) })),
                { value: "", label: t("deploy.as_new") },
              ]}
            />
          )}
        </Field>
      ) : null}
      {target.drawn ? (
        <p className="d-drawn"><span>{t("deploy.as_drawn")}</span> <strong>{(region.clouds ?? []).join(", ")}</strong></p>
      ) : (
        <Field label={t("deploy.cloud")} hint={missing ? t("deploy.cloud_missing", { cloud: region.cloud }) : undefined}>
          {(ids) => (
            <Select
              {...ids} value={target.cloud} disabled={target.deployment !== ""} onChange={(cloud) => targets.choose(region.name, { cloud })}
              options={[{ value: "", label: t("deploy.choose_cloud") }, ...clouds.map(({ name, title }) => ({ value: name, label: title && title !== name ? `${title} (${name})` : name }))]}
            />
          )}
        </Field>
      )}
      {target.deployment === "" ? (
        <Field label={t("deploy.name")} hint={existing.length > 0 ? t("deploy.name_hint") : undefined}>
          {(ids) => (
            <TextInput
              {...ids} value={target.name} maxLength={63} placeholder={result?.preview?.deployment_name ?? ""}
              onCommit={(name) => {
                targets.choose(region.name, { name: name.trim() });
                return null;
              }}
            />
          )}
        </Field>
      ) : null}
      {target.cloud === "" ? null : <Expected result={result} loading={loading} />}
    </section>
  );
}

function Expected({ result, loading }: { result: PreviewOf | undefined; loading: boolean }) {
  if (!result) return loading ? <Skeleton lines={4} /> : null;
  if (result.error) return <Problem error={result.error} />;
  const { preview } = result;
  if (!preview) return null;
  if (!preview.valid) {
    return (
      <Banner tone="warning" role="status" actions={<Button small onClick={() => useView.getState().set({ panel: "problems" })}>{t("deploy.see_problems")}</Button>}>
        <p>{t("deploy.invalid", { count: preview.findings.length })}</p>
      </Banner>
    );
  }
  return (
    <div className={loading ? "d-expected is-old" : "d-expected"} aria-live="off">
      <Counts counts={preview.counts} />
      <CloudFigures parts={preview.parts} machines={preview.machines} price={preview.price} roomOf={({ part }) => preview.parts.find((one) => one.part === part)?.capacity ?? null} />
      <Crossings crossings={preview.crossings} />
      <LedgerCounts ledger={preview.ledger} />
      {preview.blocked ? (
        <Banner tone="danger" role="status" actions={<Button small onClick={() => useView.getState().set({ panel: "problems" })}>{t("deploy.see_problems")}</Button>}>
          <p>{preview.findings.find(({ severity }) => severity === "error")?.message ?? t("deploy.blocked")}</p>
        </Banner>
      ) : null}
      {preview.data_loss.length > 0 ? <Banner tone="danger"><p>{t("deploy.would_lose", { names: preview.data_loss.join(", ") })}</p></Banner> : null}
    </div>
  );
}

/** Services that only say how to build: a cloud needs an image. */
function Images() {
  const drawing = useDocument((state) => state.drawing);
  const targets = useTargets();
  const services = useMemo(buildOnly, [drawing]);
  const regions = regionsOf(drawing);
  const [open, setOpen] = useState(true);
  if (services.length === 0) return null;
  const given = (service: string) => regions.map(({ name }) => targets.chosen[name]?.images?.[service]).find(Boolean) ?? "";
  const give = (service: string, image: string): null => {
    for (const { name } of regions) {
      const { [service]: _old, ...rest } = targets.chosen[name]?.images ?? {};
      useTargets.getState().choose(name, { images: image ? { ...rest, [service]: image } : rest });
    }
    return null;
  };
  return (
    <details className="d-images" open={open} onToggle={(event) => setOpen(event.currentTarget.open)}>
      <summary>{t("deploy.images", { count: services.length })}</summary>
      <p className="quiet">{t("deploy.images_text")}</p>
      {services.map((service) => (
        <Field key={service} label={service}>
          {(ids) => <TextInput {...ids} mono value={given(service)} placeholder="registry.example/name:1.0" onCommit={(image) => give(service, image.trim())} />}
        </Field>
      ))}
    </details>
  );
}
