import { ProblemError, type Unreachable } from "../api/client";
import { Banner, Button } from "../app/controls";
import { t } from "../i18n";

/** Show a refusal of the server, or that it was not reached. */
export function Problem({ error, again }: { error: ProblemError | Unreachable; again?: () => void }) {
  const problem = error instanceof ProblemError ? error : null;
  return (
    <Banner tone="danger" role="alert" actions={again ? <Button small icon="refresh" onClick={again}>{t("editor.try_now")}</Button> : undefined}>
      <h3>{problem?.title ?? t("deploy.unreachable")}</h3>
      <p>{problem?.advice ?? t("deploy.unreachable_text")}</p>
      {problem ? <code className="code">{problem.code}</code> : null}
    </Banner>
  );
}
