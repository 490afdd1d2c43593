import { Component, type ReactNode } from "react";

import { t } from "../i18n";

/** Keep a failure of one part from taking the others, and the text, with it. */
export class Guard extends Component<{ children: ReactNode }, { failed: boolean }> {
  override state = { failed: false };

  static getDerivedStateFromError(): { failed: boolean } {
    return { failed: true };
  }

  override render(): ReactNode {
    if (!this.state.failed) return this.props.children;
    return (
      <div className="callout callout-danger d-failed" role="alert">
        <div className="callout-body">
          <h3>{t("shell.crashed")}</h3>
          <p>{t("shell.crashed_text")}</p>
          <div className="actions">
            <button type="button" className="button small" onClick={() => this.setState({ failed: false })}>
              {t("shell.again")}
            </button>
            <button type="button" className="button small plain" onClick={() => location.reload()}>
              {t("shell.reload")}
            </button>
          </div>
        </div>
      </div>
    );
  }
}
