import { useStore, ViewportPortal } from "@xyflow/react";

import { useCanvas } from "./state";

/** Lines along which what is dragged stands in line with something else. */
export function Guides() {
  const guides = useCanvas((canvas) => canvas.guides);
  const zoom = useStore((state) => (guides.length > 0 ? state.transform[2] : 1));
  if (guides.length === 0) return null;
  const thin = 1 / zoom;
  return (
    <ViewportPortal>
      {guides.map(({ axis, at, from, to }) => (
        <div
          key={axis} className="d-guide"
          style={axis === "x"
            ? { transform: `translate(${at}px,${from}px)`, width: thin, height: to - from }
            : { transform: `translate(${from}px,${at}px)`, width: to - from, height: thin }}
        />
      ))}
    </ViewportPortal>
  );
}
