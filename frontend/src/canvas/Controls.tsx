import { useReactFlow, useStore } from "@xyflow/react";

import { Icon } from "../app/Icon";
import { t } from "../i18n";
import { useView } from "../store/view";
import { ZOOM } from "./viewport";

export function Controls() {
  const flow = useReactFlow();
  const least = useStore((state) => state.transform[2] <= ZOOM.min);
  const most = useStore((state) => state.transform[2] >= ZOOM.max);
  return (
    <div className="d-zoom nokey nopan" role="group" aria-label={t("canvas.zoom")}>
      <button type="button" aria-label={t("canvas.zoom_in")} title={t("canvas.zoom_in")} disabled={most} onClick={() => void flow.zoomIn()}>
        <Icon name="plus" small />
      </button>
      <button type="button" aria-label={t("canvas.zoom_out")} title={t("canvas.zoom_out")} disabled={least} onClick={() => void flow.zoomOut()}>
        <Icon name="minus" small />
      </button>
      <button type="button" aria-label={t("canvas.fit")} title={t("canvas.fit")} onClick={() => useView.getState().fit()}>
        <svg className="icon icon-s" viewBox="0 0 24 24" aria-hidden="true"><path d="M4 9V4h5M20 9V4h-5M4 15v5h5M20 15v5h-5" /></svg>
      </button>
    </div>
  );
}
