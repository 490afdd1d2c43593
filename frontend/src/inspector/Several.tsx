import { Button, Icon, IconButton } from "../app/controls";
import { canvasApi } from "../app/canvasApi";
import { duplicateSelection } from "../app/gestures";
import { ICONS } from "../app/kinds";
import type { DrawingNode } from "../document/types";
import { t } from "../i18n";
import { useDocument } from "../store/document";
import { useView } from "../store/view";
import { RemoveButton } from "./OtherForms";

const EDGES = ["left", "center", "right", "top", "middle", "bottom"] as const;
const EDGE_ICONS = {
  left: "layout-align-left", center: "layout-align-center", right: "layout-align-right",
  top: "layout-align-top", middle: "layout-align-middle", bottom: "layout-align-bottom",
} as const;

/** What can be done with all that is selected at once. */
export function Several({ nodes, edges }: { nodes: readonly DrawingNode[]; edges: readonly string[] }) {
  const readOnly = useDocument((state) => state.readOnly);
  return (
    <div className="d-inspector">
      <header className="d-inspector-head">
        <Icon name="select-all" />
        <h2>{t("inspector.several", { count: nodes.length + edges.length })}</h2>
      </header>
      {readOnly || nodes.length === 0 ? null : (
        <>
          {nodes.length > 1 ? (
            <div className="d-tools-row" role="group" aria-label={t("inspector.align")}>
              {EDGES.map((edge) => (
                <IconButton key={edge} icon={EDGE_ICONS[edge]} label={t(`action.align_${edge}`)} onClick={() => canvasApi.align(edge)} />
              ))}
              <IconButton icon="layout-distribute-vertical" label={t("action.distribute_horizontal")} onClick={() => canvasApi.distribute("horizontal")} />
              <IconButton icon="layout-distribute-horizontal" label={t("action.distribute_vertical")} onClick={() => canvasApi.distribute("vertical")} />
            </div>
          ) : null}
          <div className="row row-wrap">
            <Button small icon="server-2" onClick={() => useView.getState().set({ dialog: "group" })}>{t("inspector.group")}</Button>
            <Button small icon="copy" onClick={() => void duplicateSelection()}>{t("inspector.duplicate")}</Button>
          </div>
        </>
      )}
      {readOnly ? null : <div><RemoveButton /></div>}
      <ul className="rows-plain d-picked">
        {nodes.map((node) => (
          <li key={node.id}>
            <button type="button" className="menu-item" onClick={() => useView.getState().show(node.id)}>
              <Icon name={ICONS[node.kind]} small />
              <span className="clip">{node.name}</span>
              <span className="end quiet small">{t(`kind.${node.kind}`)}</span>
            </button>
          </li>
        ))}
      </ul>
    </div>
  );
}
