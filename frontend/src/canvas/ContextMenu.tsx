import { useEffect, useLayoutEffect, useRef } from "react";

import { t } from "../i18n";
import { Icon } from "../app/Icon";
import { useDocument } from "../store/document";
import { useView } from "../store/view";
import { actions, isEnabled, labelOfAction } from "../app/actions";
import { showKeys } from "../app/keys";
import type { Point } from "../document/types";
import { arrange, byId, landing, run, toggleCollapsed } from "./actions";
import { useCanvas, type MenuPlace } from "./state";

interface Item {
  id: string;
  icon: string;
  keys?: string;
  danger?: boolean;
  label: string;
  run: () => void;
}

/** The same actions as the keys, for pointer and keyboard (Shift+F10 or the menu key). */
export default function ContextMenu() {
  const menu = useCanvas((canvas) => canvas.menu);
  return menu ? <Open menu={menu} key={`${menu.x},${menu.y}`} /> : null;
}

function Open({ menu }: { menu: MenuPlace }) {
  const root = useRef<HTMLDivElement>(null);
  const back = useRef<Element | null>(null);
  const items = itemsOf(menu);
  const close = (focus: boolean) => {
    useCanvas.getState().set({ menu: null });
    if (focus && back.current instanceof HTMLElement) back.current.focus({ preventScroll: true });
  };

  useLayoutEffect(() => {
    const element = root.current;
    if (!element) return;
    const around = element.offsetParent?.getBoundingClientRect();
    const left = Math.min(menu.x - (around?.left ?? 0), (around?.width ?? innerWidth) - element.offsetWidth - 8);
    const top = Math.min(menu.y - (around?.top ?? 0), (around?.height ?? innerHeight) - element.offsetHeight - 8);
    element.style.left = `${Math.max(8, left)}px`;
    element.style.top = `${Math.max(8, top)}px`;
  }, [menu]);

  useEffect(() => {
    back.current = document.activeElement;
    root.current?.querySelector<HTMLElement>("[role=menuitem]")?.focus();
    const leave = (event: PointerEvent) => {
      if (!root.current?.contains(event.target as Node)) useCanvas.getState().set({ menu: null });
    };
    document.addEventListener("pointerdown", leave, true);
    return () => document.removeEventListener("pointerdown", leave, true);
  }, []);

  const move = (event: React.KeyboardEvent) => {
    const all = [...(root.current?.querySelectorAll<HTMLElement>("[role=menuitem]") ?? [])];
    const at = all.indexOf(document.activeElement as HTMLElement);
    const letter = event.key.length === 1 ? event.key.toLowerCase() : "";
    const next =
      event.key === "ArrowDown" ? (at + 1) % all.length
      : event.key === "ArrowUp" ? (at - 1 + all.length) % all.length
      : event.key === "Home" ? 0
      : event.key === "End" ? all.length - 1
      : letter !== "" ? [...all.slice(at + 1), ...all.slice(0, at + 1)].findIndex((one) => one.textContent?.trim().toLowerCase().startsWith(letter))
      : -1;
    event.stopPropagation();
    if (event.key === "Escape" || event.key === "Tab") close(true);
    else if (event.key === "Enter" || event.key === " ") return;
    else if (next >= 0) (letter !== "" ? [...all.slice(at + 1), ...all.slice(0, at + 1)][next] : all[next])?.focus();
    event.preventDefault();
  };

  return (
    <div ref={root} className="d-menu nokey nopan nowheel" role="menu" aria-label={t("canvas.menu")} onKeyDown={move}>
      {items.map((item) => (
        <button
          key={item.id} type="button" role="menuitem" tabIndex={-1} className={item.danger ? "d-danger" : ""}
          onClick={() => {
            close(true);
            item.run();
          }}
        >
          <Icon name={item.icon} small />
          <span>{item.label}</span>
          {item.keys ? <kbd>{item.keys}</kbd> : null}
        </button>
      ))}
    </div>
  );
}

/** What the table of actions already knows is taken from there, with its words and keys. */
function itemsOf(menu: MenuPlace): Item[] {
  const { selection } = useView.getState();
  const edit = !useDocument.getState().readOnly;
  const only = selection.length === 1 ? byId(selection[0]!) : undefined;
  const known = new Map(actions().map((action) => [action.id, action]));
  const items: Item[] = [];
  const from = (...ids: string[]) => {
    for (const id of ids) {
      const action = known.get(id);
      if (!action || !isEnabled(action)) continue;
      items.push({
        id, icon: action.icon ?? "command", label: labelOfAction(action), danger: id === "remove",
        keys: action.keys?.[0] ? showKeys(action.keys[0]) : undefined, run: () => void action.perform(),
      });
    }
  };
  if (menu.target !== null && "edge" in menu.target) from("remove");
  else if (menu.target !== null) {
    items.push({ id: "open", icon: "info-circle", label: t("canvas.do.open"), run: () => useView.getState().set({ panel: "inspector", phoneTab: "panel" }) });
    from("rename");
    if (only?.kind === "service" || selection.length === 2) from("connect");
    if (edit && (only?.kind === "machine" || only?.kind === "region")) {
      const group = only;
      items.push({
        id: "fold", icon: group.collapsed ? "chevron-right" : "chevron-down",
        label: t(group.collapsed ? "canvas.do.unfold" : "canvas.do.fold"),
        run: () => void toggleCollapsed(group.id, !group.collapsed),
      });
      items.push({ id: "inside", icon: "sitemap", label: t("canvas.do.arrange_inside"), run: () => void arrange([group.id]) });
    }
    from("group", "duplicate", "copy", "fit_selection", "remove");
  } else {
    if (edit) items.push({ id: "paste", icon: "file-plus", label: t("canvas.do.paste"), run: () => void pasteAt(menu.at) });
    from("arrange", "select_all", "fit");
  }
  return items;
}

/** Paste what the clipboard holds where the menu was opened. */
async function pasteAt(at: Point): Promise<void> {
  let yaml = "";
  try {
    yaml = await navigator.clipboard.readText();
  } catch {
    // Refused: said below like an empty one, with the keys that work without asking.
  }
  if (yaml.trim() === "") return useView.getState().say({ key: "canvas.nothing_to_paste" }, "refused");
  const applied = await run({ do: "paste", yaml, ...landing("service", at) });
  if (applied.ok && applied.created.length > 0) useView.getState().select(applied.created);
}
