import { registerInspectorSection } from "../inspector/registry";
import type { DrawingNode } from "../document/types";
import { t } from "../i18n";
import { ServiceLive } from "./ServiceLive";

/** The cloud that a service or a machine names. */
export function DrawnPlace({ node }: { node: DrawingNode }) {
  const place = node.kind === "service" || node.kind === "machine" ? node.place : undefined;
  return place ? <p className="d-drawn"><span>{t("deploy.cloud")}</span> <strong>{place}</strong></p> : null;
}

/** Let the inspector show which cloud is drawn, and where a service runs. */
export function registerLiveSection(): void {
  registerInspectorSection({ id: "place", kinds: ["service", "machine"], position: "top", Component: DrawnPlace });
  registerInspectorSection({ id: "live", kinds: ["service"], position: "top", Component: ({ node }) => <ServiceLive service={node.name} /> });
}
