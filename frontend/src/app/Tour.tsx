import { useEffect, useLayoutEffect, useState } from "react";

import { t } from "../i18n";
import { useDocument } from "../store/document";
import { useView } from "../store/view";
import { Button, Dialog } from "./controls";

/** Where it is remembered that the tour was seen or skipped. */
export const TOUR_KEY = "escale.tour";

const STEPS = [
  { id: "palette", target: ".d-left" },
  { id: "canvas", target: ".d-canvas" },
  { id: "inspector", target: ".d-panel" },
  { id: "text", target: ".d-yaml" },
  { id: "commands", target: ".d-find" },
] as const;

function seen(): boolean {
  try {
    return localStorage.getItem(TOUR_KEY) !== null;
  } catch {
    return true; // nothing is remembered here: better no tour than one at each visit
  }
}

/** Show newcomers the parts of the designer once; it can be left at any step and is in the command palette. */
export function Tour() {
  const open = useView((state) => state.dialog === "tour");
  const first = useDocument((state) => state.ready && !state.readOnly);
  useEffect(() => {
    if (first && !seen() && useView.getState().dialog === null) useView.getState().set({ dialog: "tour" });
  }, [first]);
  return open ? <Opened /> : null;
}

function Opened() {
  const [at, setAt] = useState(0);
  const step = STEPS[at] ?? STEPS[0];
  const last = at === STEPS.length - 1;
  useLayoutEffect(() => {
    const target = document.querySelector(step.target);
    target?.classList.add("d-tour-target");
    return () => target?.classList.remove("d-tour-target");
  }, [step]);
  const close = (): void => {
    try {
      localStorage.setItem(TOUR_KEY, "seen");
    } catch {
      // then it is shown again
    }
    useView.getState().set({ dialog: null });
  };
  return (
    <Dialog
      title={t(`tour.${step.id}_title`)} onClose={close} className="d-tour"
      onSubmit={() => (last ? close() : setAt(at + 1))}
      footer={
        <>
          <span className="quiet small d-tour-count">{t("tour.step", { step: at + 1, steps: STEPS.length })}</span>
          {last ? null : <Button tone="plain" onClick={close}>{t("tour.skip")}</Button>}
          {at > 0 ? <Button onClick={() => setAt(at - 1)}>{t("tour.back")}</Button> : null}
          <Button type="submit" tone="primary" data-first>{t(last ? "tour.done" : "tour.next")}</Button>
        </>
      }
    >
      <p aria-live="polite">{t(`tour.${step.id}`)}</p>
    </Dialog>
  );
}
