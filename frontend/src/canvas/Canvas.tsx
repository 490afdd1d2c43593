import "@xyflow/react/dist/style.css";
import "./canvas.css";
import "./cards.css";

import { ReactFlowProvider } from "@xyflow/react";
import { useLayoutEffect, useRef, useState } from "react";

import { useDocument } from "../store/document";
import { Board } from "./Board";
import { startPlaces } from "./places";

/** The drawing. It mounts when the first places are known, so that nothing has to be fitted after it is on the page. */
export function Canvas() {
  const root = useRef<HTMLDivElement>(null);
  const ready = useDocument((state) => state.ready);
  const [size, setSize] = useState<{ width: number; height: number } | null>(null);

  useLayoutEffect(() => startPlaces(), []);
  useLayoutEffect(() => {
    const element = root.current;
    if (!element) return;
    const measure = () => {
      const { clientWidth: width, clientHeight: height } = element;
      if (width > 0 && height > 0) setSize((known) => known ?? { width, height });
    };
    measure();
    // Hidden behind another tab of a phone, it has no size yet.
    const observer = typeof ResizeObserver === "undefined" ? null : new ResizeObserver(measure);
    observer?.observe(element);
    return () => observer?.disconnect();
  }, []);

  return (
    <div className="d-board" ref={root}>
      {ready && size ? (
        <ReactFlowProvider>
          <Board size={size} />
        </ReactFlowProvider>
      ) : null}
    </div>
  );
}
