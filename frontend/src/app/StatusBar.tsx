import { useEffect, useMemo, useState } from "react";

import { say, t } from "../i18n";
import { useDocument } from "../store/document";
import { usePaint } from "../store/paint";
import { useView } from "../store/view";
import { Icon } from "./Icon";

/** Show counts and what was just done; the latter is a live region. */
export function StatusBar() {
  const { nodes, lines } = useDocument((state) => state.drawing);
  const services = useMemo(() => nodes.filter((node) => node.kind === "service").length, [nodes]);
  const byNode = usePaint((paint) => paint.problems);
  const loose = usePaint((paint) => paint.loose);
  const problems = useMemo(() => count(byNode, loose), [byNode, loose]);
  const said = useView((view) => view.said);
  const [shown, setShown] = useState(said);
  useEffect(() => {
    setShown(said);
    const timer = setTimeout(() => setShown(null), 8_000);
    return () => clearTimeout(timer);
  }, [said]);
  return (
    <footer className="d-status">
      <button type="button" className={problems.errors ? "is-danger" : problems.all ? "is-warning" : "is-good"} onClick={() => useView.getState().set({ panel: "problems", phoneTab: "panel" })}>
        <Icon name={problems.all ? "alert-triangle" : "circle-check"} />
        {problems.all ? t("shell.problems", { count: problems.all }) : t("shell.problems_none")}
      </button>
      <span className="d-status-quiet">{t("shell.services", { count: services })}</span>
      <span className="d-status-quiet d-wide">{t("shell.lines", { count: lines })}</span>
      <span className={`d-said${shown?.tone === "refused" ? " is-refused" : ""}`} role="status" aria-live="polite">
        {shown ? say(shown.message) : ""}
      </span>
    </footer>
  );
}

function count(byNode: Record<string, { severity: string }[]>, loose: { severity: string }[]) {
  const all = [...Object.values(byNode).flat(), ...loose].filter(({ severity }) => severity !== "info");
  return { all: all.length, errors: all.filter(({ severity }) => severity === "error").length };
}
