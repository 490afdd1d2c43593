import "./editor.css";

import { memo, useMemo, useState } from "react";

import { Banner, Button, EmptyState, Icon, Tabs } from "../app/controls";
import type { Problem, Severity } from "../document/types";
import { say, t } from "../i18n";
import { useDocument } from "../store/document";
import { useFindings } from "../store/findings";
import { usePaint } from "../store/paint";
import { allOf, lineStarts } from "../store/problems";
import { useView } from "../store/view";
import { mend } from "./mend";

const ICONS: Record<Severity, string> = { error: "alert-octagon", warning: "alert-triangle", info: "info-circle" };
const SHOWN = 200;

/** Everything that is wrong or worth knowing, the worst first; each leads to its card and its line. */
export function ProblemsPanel() {
  const byNode = usePaint((paint) => paint.problems);
  const loose = usePaint((paint) => paint.loose);
  const { checking, unavailable } = useFindings();
  const [kind, setKind] = useState<"all" | Severity>("all");
  const [more, setMore] = useState(false);
  const text = useDocument((state) => state.text);
  const starts = useMemo(() => lineStarts(text), [text]);
  const all = useMemo(() => allOf({ problems: byNode, loose }), [byNode, loose]);
  const count = (severity: Severity) => all.filter((problem) => problem.severity === severity).length;
  const shown = kind === "all" ? all : all.filter(({ severity }) => severity === kind);

  return (
    <section aria-label={t("editor.problems")} aria-busy={checking}>
      <Tabs
        label={t("editor.problems_kind")}
        current={kind}
        onChange={(id) => setKind(id as typeof kind)}
        tabs={[
          { id: "all", label: t("editor.all"), count: all.length },
          { id: "error", label: t("editor.errors"), count: count("error") },
          { id: "warning", label: t("editor.warnings"), count: count("warning") },
          { id: "info", label: t("editor.notes"), count: count("info") },
        ]}
      />
      {unavailable ? <Banner tone="warning" role="status"><p>{t("editor.unchecked")}</p></Banner> : null}
      {shown.length === 0 ? (
        <EmptyState icon="circle-check" title={t(kind === "all" ? "editor.no_problems" : "editor.none_of_kind")}>
          {checking ? t("editor.checking") : t("editor.no_problems_text")}
        </EmptyState>
      ) : (
        <ol className="d-problems">
          {(more ? shown : shown.slice(0, SHOWN)).map((problem, at) => <Row key={`${problem.code}${at}`} problem={problem} line={problem.span ? lineOf(starts, problem.span.from) : null} />)}
        </ol>
      )}
      {!more && shown.length > SHOWN ? (
        <div className="d-problems-head">
          <Button small onClick={() => setMore(true)}>{t("editor.show_all", { count: shown.length })}</Button>
        </div>
      ) : null}
    </section>
  );
}

/** Keys come fast and the list may be long: a line whose problem stays where it is, is not drawn again. */
const Row = memo(function Row({ problem, line }: { problem: Problem; line: number | null }) {
  const readOnly = useDocument((state) => state.readOnly);
  const name = problem.node?.slice(problem.node.indexOf(":") + 1);
  const go = (): void => {
    const view = useView.getState();
    if (problem.node) view.show(problem.node);
    if (problem.span) view.goTo(problem.span);
  };
  return (
    <li className={`is-${problem.severity}`}>
      <Icon name={ICONS[problem.severity]} label={t(`editor.severity.${problem.severity}`)} />
      {problem.node || problem.span ? (
        <button type="button" className="d-problem-go" onClick={go}>{say(problem.text)}</button>
      ) : (
        <span>{say(problem.text)}</span>
      )}
      {problem.hint ? <p className="d-problem-more">{problem.hint}</p> : null}
      <p className="d-problem-where">
        {name ? <span>{name}</span> : null}
        {line === null ? null : <span>{t("editor.line", { line })}</span>}
        <code>{problem.code}</code>
      </p>
      {!readOnly && problem.fixes?.length ? (
        <p className="d-problem-fixes">
          {problem.fixes.map((fix) => <Button key={say(fix.title)} small icon="check" onClick={() => void mend(fix)}>{say(fix.title)}</Button>)}
        </p>
      ) : null}
    </li>
  );
});

/** Return the line, 1 being the first, that holds an offset. */
export function lineOf(starts: readonly number[], offset: number): number {
  let low = 0;
  let high = starts.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((starts[middle] ?? 0) <= offset) low = middle + 1;
    else high = middle;
  }
  return low;
}
