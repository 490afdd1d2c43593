import { registerInspectorSection } from "../inspector/registry";
import { ServiceLive } from "./ServiceLive";

/** Let the inspector show where a service runs. */
export function registerLiveSection(): void {
  registerInspectorSection({ id: "live", kinds: ["service"], position: "top", Component: ({ node }) => <ServiceLive service={node.name} /> });
}
