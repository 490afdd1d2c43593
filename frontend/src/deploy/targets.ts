import { create } from "zustand";

import { api, type ProblemError, type Schemas, takeAll, Unreachable } from "../api/client";
import type { Drawing, RegionNode } from "../document/types";

export type Cloud = Schemas["Cloud"];
export type Deployment = Schemas["Deployment"];

/** Where one region of the drawing goes. `deployment` "": a new one. */
export interface Target {
  cloud: string; // name, "" while none is chosen
  deployment: string; // id
  name: string; // of a new one; "" leaves it to the portal: the design's, with the region's
  images: Record<string, string>; // service -> image, for services that only say how to build
  drawn: boolean; // the drawing says it all: the portal reads its clouds from it, and none is sent
}

interface TargetsState {
  clouds: Cloud[] | null;
  deployments: Deployment[];
  error: ProblemError | Unreachable | null;
  /** By region; "" is a drawing without regions. What is not here follows the drawing. */
  chosen: Record<string, Partial<Target>>;
  choose: (region: string, target: Partial<Target>) => void;
}

export const useTargets = create<TargetsState>()((set, get) => ({
  clouds: null,
  deployments: [],
  error: null,
  chosen: {},
  choose: (region, target) => {
    const before = get().chosen[region] ?? {};
    set({ chosen: { ...get().chosen, [region]: { ...before, ...target } } });
  },
}));

/** Ask which clouds there are, and what of the design runs already. */
export async function loadTargets(blueprint: string | null): Promise<void> {
  try {
    const [clouds, deployments] = await Promise.all([
      takeAll((cursor) => api.GET("/api/v1/clouds/", { params: { query: { cursor, limit: 500 } } })),
      blueprint === null ? Promise.resolve([]) : loadDeployments(blueprint),
    ]);
    useTargets.setState({ clouds, deployments, error: null });
  } catch (error) {
    useTargets.setState({ error: error as ProblemError | Unreachable });
  }
}

async function loadDeployments(blueprint: string): Promise<Deployment[]> {
  return takeAll((cursor) => api.GET("/api/v1/deployments/", { params: { query: { blueprint, cursor, limit: 500 } } }));
}

/** Read the deployments of the design again: one was started, or has ended. */
export async function refreshDeployments(blueprint: string): Promise<Deployment[]> {
  const deployments = await loadDeployments(blueprint);
  useTargets.setState({ deployments });
  return deployments;
}

export interface Region {
  name: string; // "" for a drawing without regions
  title: string;
  cloud: string; // the one that it is drawn for
  clouds?: string[]; // of a drawing without regions: all that it names, so that nothing is left to choose
}

export function regionsOf(drawing: Drawing): Region[] {
  const regions = drawing.nodes.filter((node): node is RegionNode => node.kind === "region");
  if (regions.length === 0) return [{ name: "", title: "", cloud: drawing.clouds?.[0] ?? "", ...(drawing.clouds ? { clouds: drawing.clouds } : {}) }];
  return regions.map(({ name, title, cloud }) => ({ name, title: title || name, cloud }));
}

/**
 * Return where a region goes: what was chosen, else what runs of it already, else the cloud that it is drawn for, else
 * the only one there is. `prefer` is the deployment that the page was opened for.
 */
export function targetOf(
  region: Region, { clouds, deployments, chosen }: Pick<TargetsState, "clouds" | "deployments" | "chosen">, prefer: string | null = null,
): Target {
  const wish = chosen[region.name] ?? {};
  const running = deployments.filter((one) => one.region === region.name && one.state !== "destroyed");
  const usable = (clouds ?? []).filter(({ enabled }) => enabled);
  let deployment = wish.deployment;
  if (deployment === undefined) {
    const mine = running.find(({ id }) => id === prefer) ?? (running.length === 1 ? running[0] : undefined);
    deployment = mine && (wish.cloud === undefined || wish.cloud === mine.cloud.name) ? mine.id : "";
  }
  const existing = running.find(({ id }) => id === deployment);
  if (!existing) deployment = "";
  const drawn = usable.some(({ name }) => name === region.cloud) ? region.cloud : "";
  if (!existing && region.clouds && drawn) return { cloud: drawn, deployment: "", name: wish.name ?? "", images: wish.images ?? {}, drawn: true };
  const cloud = existing?.cloud.name ?? wish.cloud ?? (drawn || (usable.length === 1 ? usable[0]?.name ?? "" : ""));
  return { cloud, deployment, name: deployment ? "" : wish.name ?? "", images: wish.images ?? {}, drawn: false };
}
