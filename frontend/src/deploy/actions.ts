import { type Action, registerActions } from "../app/actions";
import type { Boot } from "../app/boot";
import { useView } from "../store/view";
import { checkDrift, useLive } from "./live";
import { chosenTargets, makePlans } from "./planning";
import { isLive } from "./reduce";

const calm = () => Object.entries(useLive.getState().watched).filter(([, { operation, canvas }]) => !isLive(operation) && canvas.deployment.state !== "destroyed");

/** Offer planning and looking for drift to the command palette; returns what takes them away. */
export function registerDeployActions(boot: Boot): () => void {
  if (!boot.may.deploy) return () => undefined;
  const actions: Action[] = [
    {
      id: "deploy.plan", label: "deploy.action.plan", group: "design", icon: "list-check", writes: true,
      enabled: () => chosenTargets(boot).some(({ target }) => target.cloud !== ""),
      perform: async () => {
        useView.getState().set({ panel: "plan", phoneTab: "panel" });
        await makePlans(boot);
      },
    },
    {
      id: "deploy.drift", label: "deploy.action.drift", group: "design", icon: "git-compare", enabled: () => calm().length > 0,
      perform: async () => {
        useView.getState().set({ panel: "live", phoneTab: "panel" });
        const found = await Promise.allSettled(calm().map(([id]) => checkDrift(id)));
        const drifted = found.some((one) => one.status === "fulfilled" && one.value.drifted);
        useView.getState().say({ key: drifted ? "deploy.drifted" : "deploy.not_drifted" });
      },
    },
  ];
  return registerActions(actions);
}
