import { useMemo, useRef, useState } from "react";

import { canvasApi } from "../app/canvasApi";
import { Button, Icon } from "../app/controls";
import { rank } from "../app/rank";
import { t } from "../i18n";
import { useView } from "../store/view";
import { addItem } from "./add";
import { type Item, ITEM_GROUPS, ITEMS } from "./items";
import "./palette.css";

const STARTS_AFTER_PX = 5;

interface Drag {
  item: Item;
  x: number;
  y: number;
}

/** What can be added: dragged to its place, or added by Enter or a click. */
export function Palette() {
  const [query, setQuery] = useState("");
  const [drag, setDrag] = useState<Drag | null>(null);
  const found = useMemo(
    () => (query.trim() ? rank(ITEMS, query, (item) => `${t(`palette.${item.id}`)} ${t(`kind.${item.kind}`)} ${item.finds}`) : ITEMS),
    [query],
  );
  return (
    <div className="d-palette">
      <div className="d-palette-search">
        <Icon name="search" small />
        <input
          className="input" type="search" value={query} placeholder={t("palette.find")} aria-label={t("palette.search")}
          onChange={(event) => setQuery(event.target.value)}
          onKeyDown={(event) => {
            if (event.key === "Enter" && found[0]) {
              event.preventDefault();
              void addItem(found[0]);
            } else if (event.key === "Escape" && query) {
              event.stopPropagation();
              setQuery("");
            }
          }}
        />
      </div>
      {ITEM_GROUPS.map((group) => {
        const items = found.filter((item) => item.group === group);
        if (items.length === 0) return null;
        return (
          <section key={group} aria-labelledby={`d-palette-${group}`}>
            <h3 id={`d-palette-${group}`}>{t(`palette.group.${group}`)}</h3>
            <ul>
              {items.map((item) => (
                <li key={item.id}><Tile item={item} onDrag={setDrag} /></li>
              ))}
            </ul>
          </section>
        );
      })}
      {found.length === 0 ? <p className="d-nothing quiet" role="status">{t("app.nothing_found", { query })}</p> : null}
      <Button small tone="plain" icon="template" onClick={() => useView.getState().set({ dialog: "templates" })}>{t("palette.templates")}</Button>
      <p className="d-hint">{t("palette.how")}</p>
      {drag ? (
        <div className="d-ghost" aria-hidden="true" style={{ transform: `translate(${drag.x}px, ${drag.y}px)` }}>
          <Icon name={drag.item.icon} /> {t(`palette.${drag.item.id}`)}
        </div>
      ) : null}
    </div>
  );
}

function Tile({ item, onDrag }: { item: Item; onDrag: (drag: Drag | null) => void }) {
  const start = useRef<{ x: number; y: number; pointer: number } | null>(null);
  const dragging = useRef(false);

  const end = (): void => {
    start.current = null;
    dragging.current = false;
    onDrag(null);
    canvasApi.hover(null);
  };
  return (
    <button
      type="button"
      className="d-tile"
      title={t(`palette.${item.id}_hint`)}
      onPointerDown={(event) => {
        if (event.button !== 0) return;
        start.current = { x: event.clientX, y: event.clientY, pointer: event.pointerId };
        dragging.current = false;
        // At once: a quick hand is off the tile before it has moved far enough to mean a drag.
        event.currentTarget.setPointerCapture(event.pointerId);
      }}
      onPointerMove={(event) => {
        const from = start.current;
        if (!from || from.pointer !== event.pointerId) return;
        if (!dragging.current && Math.hypot(event.clientX - from.x, event.clientY - from.y) < STARTS_AFTER_PX) return;
        dragging.current = true;
        onDrag({ item, x: event.clientX, y: event.clientY });
        canvasApi.hover({ clientX: event.clientX, clientY: event.clientY });
      }}
      onPointerUp={(event) => {
        if (!dragging.current) return end();
        const landing = canvasApi.dropAt(event.clientX, event.clientY);
        end();
        suppressClick(event.currentTarget);
        if (landing) void addItem(item, landing);
      }}
      onPointerCancel={end}
      onKeyDown={(event) => {
        if (event.key === "Escape" && dragging.current) {
          event.stopPropagation();
          end();
        } else arrows(event);
      }}
      onClick={() => void addItem(item)}
    >
      <Icon name={item.icon} />
      <span>{t(`palette.${item.id}`)}</span>
    </button>
  );
}

/** The click that follows a drag is not one. */
function suppressClick(element: Element): void {
  const stop = (event: Event): void => {
    event.stopPropagation();
    event.preventDefault();
  };
  window.addEventListener("click", stop, { capture: true, once: true });
  setTimeout(() => window.removeEventListener("click", stop, { capture: true }));
  if (element instanceof HTMLElement) element.blur();
}

/** Arrows move between the tiles, besides Tab. */
function arrows(event: React.KeyboardEvent<HTMLElement>): void {
  const step = event.key === "ArrowDown" || event.key === "ArrowRight" ? 1 : event.key === "ArrowUp" || event.key === "ArrowLeft" ? -1 : 0;
  if (!step) return;
  const all = [...(event.currentTarget.closest(".d-palette")?.querySelectorAll<HTMLElement>(".d-tile") ?? [])];
  event.preventDefault();
  all[all.indexOf(event.currentTarget) + step]?.focus();
}
