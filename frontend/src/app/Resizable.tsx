import { type CSSProperties, type ReactNode, useEffect, useRef, useState } from "react";

import { t } from "../i18n";

const WIDTH = { least: 260, most: 900, usual: 380 };
const KEY = "escale.yaml-width";

const clamp = (value: number) => Math.round(Math.min(WIDTH.most, Math.max(WIDTH.least, value)));

/** Browsers that keep nothing throw; what was kept may be anything. */
function remembered(): number {
  try {
    return clamp(Number(localStorage.getItem(KEY)) || WIDTH.usual);
  } catch {
    return WIDTH.usual;
  }
}

/** Hold the text at a width that is dragged or moved by arrows, and remembered. */
export function Resizable({ children }: { children: ReactNode }) {
  const [width, setWidth] = useState(remembered);
  const grip = useRef<{ x: number; width: number } | null>(null);
  useEffect(() => {
    try {
      localStorage.setItem(KEY, String(width));
    } catch {
      // nothing is remembered here
    }
  }, [width]);
  return (
    <aside className="d-yaml" aria-label={t("shell.yaml")} style={{ "--d-yaml": `${width}px` } as CSSProperties}>
      <div
        className="d-grip" role="separator" tabIndex={0} aria-orientation="vertical" aria-label={t("shell.resize_yaml")}
        aria-valuenow={width} aria-valuemin={WIDTH.least} aria-valuemax={WIDTH.most}
        onPointerDown={(event) => {
          event.currentTarget.setPointerCapture(event.pointerId);
          grip.current = { x: event.clientX, width };
        }}
        onPointerMove={(event) => grip.current && setWidth(clamp(grip.current.width + grip.current.x - event.clientX))}
        onLostPointerCapture={() => (grip.current = null)}
        onKeyDown={(event) => {
          if (event.key === "ArrowLeft") setWidth(clamp(width + 24));
          else if (event.key === "ArrowRight") setWidth(clamp(width - 24));
          else return;
          event.preventDefault();
        }}
      />
      {children}
    </aside>
  );
}
