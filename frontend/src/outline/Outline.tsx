import { memo, useCallback, useEffect, useLayoutEffect, useMemo, useRef, useState } from "react";

import { EmptyState, Icon } from "../app/controls";
import { EDGE_ICONS, ICONS } from "../app/kinds";
import type { EdgeKind, Kind } from "../document/types";
import { t } from "../i18n";
import { useDocument } from "../store/document";
import { usePaint } from "../store/paint";
import { useView } from "../store/view";
import { ancestors, outline, type Row, typedAhead } from "./rows";
import "./outline.css";

/** Above so many lines only those in sight are made. */
const WINDOWED_FROM = 500;
const SPARE_ROWS = 12;
const TYPING_MS = 700;

/** The drawing as a tree that the keyboard reaches all of, also what the canvas does not draw at present. */
export function Outline() {
  const drawing = useDocument((state) => state.drawing);
  const readOnly = useDocument((state) => state.readOnly);
  const selection = useView((state) => state.selection);
  const selectedEdges = useView((state) => state.selectedEdges);
  const [folded, setFolded] = useState<ReadonlySet<string>>(new Set());
  const [unfolded, setUnfolded] = useState<ReadonlySet<string>>(new Set());
  const [active, setActive] = useState<string | null>(null);
  const rows = useMemo(() => outline(drawing, folded, unfolded, (kind) => t(`kind.${kind}s`)), [drawing, folded, unfolded]);
  const scroller = useRef<HTMLDivElement>(null);
  const moved = useRef(false);
  const typed = useRef({ text: "", at: 0 });
  const view = useWindow(scroller, rows.length);

  const index = Math.max(0, rows.findIndex((row) => row.key === active));
  const selected = useMemo(() => new Set<string>([...selection, ...selectedEdges]), [selection, selectedEdges]);

  // What is selected elsewhere is where the keyboard goes on from here; its groups unfold.
  const [first] = selection;
  useEffect(() => {
    if (!first || moved.current) return;
    const above = ancestors(drawing, first);
    setFolded((now) => (above.some((id) => now.has(id)) ? new Set([...now].filter((key) => !above.includes(key as never))) : now));
    setActive(first);
  }, [first, drawing]);

  useLayoutEffect(() => {
    if (!moved.current) return;
    moved.current = false;
    view.reveal(index);
    scroller.current?.querySelector<HTMLElement>(`[data-index="${index}"]`)?.focus();
  });

  const go = (to: number): void => {
    const row = rows[Math.min(rows.length - 1, Math.max(0, to))];
    if (!row) return;
    moved.current = true;
    setActive(row.key);
  };
  const fold = useCallback((row: Row, open: boolean): void => {
    const change = (now: ReadonlySet<string>, add: boolean): ReadonlySet<string> => {
      const next = new Set(now);
      if (add) next.add(row.key);
      else next.delete(row.key);
      return next;
    };
    if (row.icon === "service" && row.type === "node") setUnfolded((now) => change(now, open));
    else setFolded((now) => change(now, !open));
  }, []);
  const choose = useCallback((row: Row, center: boolean, add: boolean): void => {
    setActive(row.key);
    const state = useView.getState();
    if (row.type === "edge" && row.edge) {
      state.select([], [row.edge]);
      return;
    }
    if (!row.node) return;
    if (add) state.select(state.selection.includes(row.node) ? state.selection.filter((id) => id !== row.node) : [...state.selection, row.node]);
    else if (center) state.show(row.node);
    else state.select([row.node]);
  }, []);

  const key = (event: React.KeyboardEvent): void => {
    const row = rows[index];
    if (!row || event.altKey) return;
    const mod = event.ctrlKey || event.metaKey;
    const state = useView.getState();
    const act = (dialog: "rename" | "remove" | "connect"): void => {
      if (readOnly) return;
      choose(row, false, false);
      state.set({ dialog });
    };
    if (mod && event.key !== "Enter" && event.key !== " ") return; // shortcuts of the whole designer
    if (event.key === "ArrowDown") go(index + 1);
    else if (event.key === "ArrowUp") go(index - 1);
    else if (event.key === "Home") go(0);
    else if (event.key === "End") go(rows.length - 1);
    else if (event.key === "PageDown") go(index + 12);
    else if (event.key === "PageUp") go(index - 12);
    else if (event.key === "ArrowRight") {
      if (row.expandable && !row.expanded) fold(row, true);
      else if (row.expanded) go(index + 1);
    } else if (event.key === "ArrowLeft") {
      if (row.expanded) fold(row, false);
      else if (row.parent) go(rows.findIndex((each) => each.key === row.parent));
    } else if (event.key === "Enter") {
      if (row.type === "heading") fold(row, !row.expanded);
      else choose(row, true, mod);
    } else if (event.key === " ") {
      if (row.type === "heading") fold(row, !row.expanded);
      else choose(row, false, mod);
    } else if (event.key === "F2" && row.type === "node") act("rename");
    else if ((event.key === "Delete" || event.key === "Backspace") && row.type !== "heading" && row.type !== "port") act("remove");
    else if (event.key === "c" && row.node && Date.now() - typed.current.at > TYPING_MS) act("connect");
    else if (event.key.length === 1 && /\S/.test(event.key) && event.key !== "?") {
      const now = Date.now();
      typed.current = { text: now - typed.current.at < TYPING_MS ? typed.current.text + event.key : event.key, at: now };
      const from = typed.current.text.length > 1 ? index : index + 1;
      const found = typedAhead(rows, from, typed.current.text);
      if (found >= 0) go(found);
    } else return;
    event.preventDefault();
    event.stopPropagation();
  };

  if (rows.length === 0) return <EmptyState icon="list-tree" title={t("outline.empty")}>{t("outline.empty_text")}</EmptyState>;
  const windowed = rows.length > WINDOWED_FROM;
  const from = windowed ? view.from : 0;
  const to = windowed ? view.to : rows.length;
  const shown = rows.slice(from, to).map((row, offset) => ({ row, at: from + offset }));
  // The line that Tab leads to exists wherever one has scrolled.
  const current = rows[index];
  if (current && (index < from || index >= to)) shown.push({ row: current, at: index });
  return (
    <div className="d-outline" ref={scroller} onScroll={view.onScroll}>
      <div
        role="tree" aria-label={t("outline.label")} aria-multiselectable="true" onKeyDown={key}
        style={windowed ? { height: rows.length * view.height, position: "relative" } : undefined}
      >
        {shown.map(({ row, at }) => (
          <Line
            key={row.key} row={row} index={at} active={at === index} selected={selected.has(row.type === "edge" ? row.edge ?? "" : row.type === "node" ? row.node ?? "" : "")}
            top={windowed ? at * view.height : null} onChoose={choose} onFold={fold}
          />
        ))}
      </div>
    </div>
  );
}

interface LineProps {
  row: Row;
  index: number;
  active: boolean;
  selected: boolean;
  top: number | null;
  onChoose: (row: Row, center: boolean, add: boolean) => void;
  onFold: (row: Row, open: boolean) => void;
}

const Line = memo(function Line({ row, index, active, selected, top, onChoose, onFold }: LineProps) {
  const worst = usePaint((paint) => (row.type === "node" && row.node ? worstOf(paint.problems[row.node]) : null));
  const words =
    row.type === "edge" ? t(`outline.edge_${row.icon}`, { target: row.label })
      : row.type === "port" ? t("outline.port", { published: row.label, target: row.note })
        : row.label;
  const kind = row.type === "node" ? t(`kind.${row.icon}`) : "";
  return (
    <div
      role="treeitem" className="d-line" data-index={index} data-type={row.type} tabIndex={active ? 0 : -1}
      aria-level={row.level} aria-setsize={row.set} aria-posinset={row.pos} aria-selected={selected}
      aria-expanded={row.expandable ? row.expanded : undefined}
      aria-label={[words, kind, row.type === "port" ? "" : row.note, worst ? t(`outline.has_${worst}`) : ""].filter(Boolean).join(", ")}
      style={{ "--level": row.level, ...(top === null ? {} : { position: "absolute", top, left: 0, right: 0 }) } as React.CSSProperties}
      onClick={(event) => (row.type === "heading" ? onFold(row, !row.expanded) : onChoose(row, true, event.ctrlKey || event.metaKey || event.shiftKey))}
      onDoubleClick={() => row.expandable && onFold(row, !row.expanded)}
    >
      <span
        className={`d-twist${row.expanded ? " is-open" : ""}`} aria-hidden="true"
        onClick={(event) => {
          if (!row.expandable) return;
          event.stopPropagation();
          onFold(row, !row.expanded);
        }}
      >
        {row.expandable ? <Icon name="chevron-right" small /> : null}
      </span>
      <Icon name={row.icon === "port" ? "plug-connected" : row.type === "edge" ? EDGE_ICONS[row.icon as EdgeKind] : ICONS[row.icon as Kind]} small />
      <span className="d-line-label clip">{words}</span>
      {worst ? <Icon name={worst === "error" ? "alert-octagon" : "alert-triangle"} small className={worst === "error" ? "mark-danger" : "mark-warning"} /> : null}
      {row.note && row.type !== "port" ? <span className="d-line-note clip">{row.note}</span> : null}
    </div>
  );
});

function worstOf(problems: readonly { severity: string }[] | undefined): "error" | "warning" | null {
  if (!problems?.length) return null;
  if (problems.some(({ severity }) => severity === "error")) return "error";
  return problems.some(({ severity }) => severity === "warning") ? "warning" : null;
}

/** Know which lines are in sight of a scrolling element whose lines are all of one height. */
function useWindow(scroller: React.RefObject<HTMLDivElement | null>, count: number) {
  const [top, setTop] = useState(0);
  const [seen, setSeen] = useState(800);
  const height = typeof matchMedia === "function" && matchMedia("(pointer: coarse)").matches ? 40 : 28;
  useLayoutEffect(() => {
    const element = scroller.current;
    if (!element || typeof ResizeObserver === "undefined") return;
    const observer = new ResizeObserver(() => setSeen(element.clientHeight));
    observer.observe(element);
    return () => observer.disconnect();
  }, [scroller, count === 0]);
  const from = Math.max(0, Math.floor(top / height) - SPARE_ROWS);
  return {
    height, from, to: Math.min(count, Math.ceil((top + seen) / height) + SPARE_ROWS),
    onScroll: (event: React.UIEvent<HTMLDivElement>) => setTop(event.currentTarget.scrollTop),
    reveal: (index: number) => {
      const element = scroller.current;
      if (!element) return;
      if (index * height < element.scrollTop) element.scrollTop = index * height;
      else if ((index + 1) * height > element.scrollTop + element.clientHeight) element.scrollTop = (index + 1) * height - element.clientHeight;
    },
  };
}
