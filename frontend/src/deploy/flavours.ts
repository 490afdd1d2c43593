import { useCanvas } from "../canvas/state";
import { useTargets } from "./targets";

/** Give regions the hue of the cloud that they are drawn for, as soon as the clouds are known; returns what ends it. */
export function startFlavours(): () => void {
  const tell = ({ clouds }: ReturnType<typeof useTargets.getState>): void => {
    if (clouds === null) return;
    const flavours = Object.fromEntries(clouds.map(({ name, kind, flavour }) => [name, kind === "fake" ? "fake" : flavour]));
    useCanvas.getState().set({ flavours });
  };
  tell(useTargets.getState());
  return useTargets.subscribe((now, before) => {
    if (now.clouds !== before.clouds) tell(now);
  });
}
