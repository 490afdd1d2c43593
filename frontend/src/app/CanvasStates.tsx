import { t } from "../i18n";
import { useDocument } from "../store/document";
import { useView } from "../store/view";
import { perform } from "./gestures";
import { Icon } from "./Icon";

/** Say what an empty canvas is for, and offer what fills it. */
export function Empty() {
  const empty = useDocument((state) => state.drawing.nodes.length === 0 && state.broken.length === 0);
  const readOnly = useDocument((state) => state.readOnly);
  if (!empty) return null;
  const open = (dialog: "templates" | "import") => useView.getState().set({ dialog });
  return (
    <div className="d-empty">
      <Icon name="topology-star-3" size={32} />
      <h2>{t("shell.empty_title")}</h2>
      {!readOnly && (
        <>
          <p>{t("shell.empty_text")}</p>
          <div className="actions">
            <button
              type="button" className="button primary"
              onClick={() => void perform({ do: "add", kind: "service", name: "web", value: { image: "nginx:1.29" } })}
            >
              <Icon name="plus" /> {t("shell.empty_service")}
            </button>
            <button type="button" className="button" onClick={() => open("templates")}>{t("shell.empty_template")}</button>
            <button type="button" className="button" onClick={() => open("import")}>{t("shell.empty_import")}</button>
          </div>
        </>
      )}
    </div>
  );
}

/** Say that the canvas shows an older state while the text is broken, and lead to the mistake. */
export function Broken() {
  const first = useDocument((state) => state.broken[0]);
  const text = useDocument((state) => state.text);
  if (!first) return null;
  const line = first.span ? text.slice(0, first.span.from).split("\n").length : null;
  return (
    <div className="d-broken callout callout-warning" role="status">
      <Icon name="alert-triangle" />
      <p>{t("shell.broken")}</p>
      {first.span && (
        <button
          type="button" className="button small"
          onClick={() => {
            useView.getState().set({ phoneTab: "yaml" });
            if (first.span) useView.getState().goTo(first.span, true);
          }}
        >
          {line ? t("shell.broken_goto", { line }) : t("shell.broken_plain")}
        </button>
      )}
    </div>
  );
}
