import { type ReactNode, useEffect, useId, useRef, useState } from "react";

import { Icon } from "./Icon";

export interface MenuItem {
  id: string;
  label: string;
  icon?: string;
  keys?: string;
  disabled?: boolean;
  tone?: "plain" | "danger";
  onSelect: () => void;
}

interface Props {
  label: string;
  /** What the button shows; its icon with the label as tooltip when nothing is given. */
  children?: ReactNode;
  icon?: string;
  items: MenuItem[];
  end?: boolean;
  className?: string;
}

/** A button with a list of things to do; arrows, Home, End and first letters move in it. */
export function Menu({ label, children, icon = "dots", items, end = false, className }: Props) {
  const [open, setOpen] = useState(false);
  const root = useRef<HTMLDivElement>(null);
  const button = useRef<HTMLButtonElement>(null);
  const id = useId();

  useEffect(() => {
    if (!open) return;
    entries(root.current)[0]?.focus();
    const leave = (event: PointerEvent): void => {
      if (!root.current?.contains(event.target as Node)) setOpen(false);
    };
    document.addEventListener("pointerdown", leave);
    return () => document.removeEventListener("pointerdown", leave);
  }, [open]);

  const move = (event: React.KeyboardEvent): void => {
    const all = entries(root.current);
    const at = all.indexOf(document.activeElement as HTMLElement);
    let to = -1;
    if (event.key === "ArrowDown") to = (at + 1) % all.length;
    else if (event.key === "ArrowUp") to = (at - 1 + all.length) % all.length;
    else if (event.key === "Home") to = 0;
    else if (event.key === "End") to = all.length - 1;
    else if (event.key === "Escape" || event.key === "Tab") {
      setOpen(false);
      if (event.key === "Tab") return;
      button.current?.focus();
    } else if (event.key.length === 1 && /\S/.test(event.key) && !event.ctrlKey && !event.metaKey) {
      const rest = [...all.slice(at + 1), ...all.slice(0, at + 1)];
      const found = rest.find((entry) => entry.textContent?.trim().toLowerCase().startsWith(event.key.toLowerCase()));
      to = found ? all.indexOf(found) : at;
    } else return;
    event.preventDefault();
    event.stopPropagation();
    if (to >= 0) all[to]?.focus();
  };

  return (
    <div className="d-dropdown" ref={root}>
      <button
        ref={button}
        type="button"
        className={className ?? (children ? "button plain" : "d-icon-button")}
        aria-haspopup="menu"
        aria-expanded={open}
        aria-controls={open ? id : undefined}
        {...(children ? {} : { "aria-label": label, title: label })}
        onClick={() => setOpen(!open)}
        onKeyDown={(event) => {
          if (event.key === "ArrowDown" && !open) {
            event.preventDefault();
            setOpen(true);
          }
        }}
      >
        {children ?? <Icon name={icon} />}
      </button>
      {open ? (
        <div id={id} role="menu" aria-label={label} className={`menu-body${end ? " d-end" : ""}`} onKeyDown={move}>
          {items.map((item) => (
            <button
              key={item.id}
              type="button"
              role="menuitem"
              tabIndex={-1}
              className={`menu-item${item.tone === "danger" ? " d-danger" : ""}`}
              aria-disabled={item.disabled || undefined}
              onClick={() => {
                if (item.disabled) return;
                setOpen(false);
                button.current?.focus();
                item.onSelect();
              }}
            >
              {item.icon ? <Icon name={item.icon} small /> : null}
              <span>{item.label}</span>
              {item.keys ? <kbd className="end">{item.keys}</kbd> : null}
            </button>
          ))}
        </div>
      ) : null}
    </div>
  );
}

function entries(root: HTMLElement | null): HTMLElement[] {
  return [...(root?.querySelectorAll<HTMLElement>('[role="menuitem"]') ?? [])];
}
