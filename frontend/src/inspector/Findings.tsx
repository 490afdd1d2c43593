import { useState } from "react";

import { Banner, Button } from "../app/controls";
import type { Problem } from "../document/types";
import { mend } from "../editor/mend";
import { say, t } from "../i18n";
import { useDocument } from "../store/document";
import { useView } from "../store/view";

const TONES = { error: "danger", warning: "warning", info: "plain" } as const;
const SHOWN = 4;

/** What is wrong with a node, worst first, each with the way to its line and the mends that there are. */
export function Findings({ problems }: { problems: readonly Problem[] }) {
  const [all, setAll] = useState(false);
  if (problems.length === 0) return null;
  const order = { error: 0, warning: 1, info: 2 };
  const sorted = [...problems].sort((a, b) => order[a.severity] - order[b.severity]);
  return (
    <div className="d-findings" role="group" aria-label={t("inspector.findings")}>
      {(all ? sorted : sorted.slice(0, SHOWN)).map((problem, index) => (
        <Finding key={`${problem.code}-${index}`} problem={problem} />
      ))}
      {sorted.length > SHOWN && !all ? (
        <Button small tone="plain" onClick={() => setAll(true)}>
          {t("inspector.more_findings", { count: sorted.length - SHOWN })}
        </Button>
      ) : null}
    </div>
  );
}

function Finding({ problem }: { problem: Problem }) {
  const readOnly = useDocument((state) => state.readOnly);
  const span = problem.span;
  return (
    <Banner
      tone={TONES[problem.severity]}
      actions={
        <>
          {readOnly ? null : problem.fixes?.map((fix) => (
            <Button key={say(fix.title)} small icon="check" onClick={() => void mend(fix)}>{say(fix.title)}</Button>
          ))}
          {span ? (
            <Button
              small tone="plain" icon="code"
              onClick={() => {
                useView.getState().goTo(span);
                useView.getState().set({ phoneTab: "yaml" });
              }}
            >
              {t("inspector.show_line")}
            </Button>
          ) : null}
        </>
      }
    >
      <p>
        <span className="visually-hidden">{t(`inspector.severity.${problem.severity}`)} </span>
        {say(problem.text)}
      </p>
      {problem.hint ? <p className="soft">{problem.hint}</p> : null}
      <span className="code">{problem.code}</span>
    </Banner>
  );
}
