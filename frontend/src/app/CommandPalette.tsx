import { useEffect, useId, useMemo, useRef, useState } from "react";

import type { DrawingNode } from "../document/types";
import { t } from "../i18n";
import { useDocument } from "../store/document";
import { useView } from "../store/view";
import { type Action, actions, GROUPS, isEnabled, labelOfAction } from "./actions";
import { Dialog, Icon } from "./controls";
import { ICONS } from "./kinds";
import { showKeys } from "./keys";
import { rank } from "./rank";
import "./dialogs.css";

interface Entry {
  id: string;
  label: string;
  group: string;
  icon: string;
  note: string;
  keys: string;
  run: () => void;
}

const MOST = 60;

/** Find and do anything: all actions that are possible now, and every node by its name. */
export function CommandPalette() {
  return useView((state) => state.dialog === "commands") ? <Opened /> : null;
}

function Opened() {
  const nodes = useDocument((state) => state.drawing.nodes);
  const [query, setQuery] = useState("");
  const [chosen, setChosen] = useState(0);
  const id = useId();
  const list = useRef<HTMLDivElement>(null);
  const close = (): void => useView.getState().set({ dialog: null });

  // What is possible is asked once: the dialog covers what could change it.
  const possible = useMemo(
    () => actions().filter((action) => !action.hidden && isEnabled(action)).sort((a, b) => GROUPS.indexOf(a.group) - GROUPS.indexOf(b.group)).map(ofAction),
    [],
  );
  const found = useMemo(() => {
    const places = nodes.filter((node) => !(node.kind === "network" && node.implicit)).map(ofNode);
    const all = query.trim() ? rank([...possible, ...places], query, (entry) => `${entry.label} ${entry.note}`) : possible;
    return all.slice(0, MOST);
  }, [nodes, possible, query]);

  useEffect(() => setChosen(0), [query]);
  useEffect(() => {
    void list.current?.querySelector('[aria-selected="true"]')?.scrollIntoView({ block: "nearest" });
  }, [chosen, found]);

  const run = (entry: Entry | undefined): void => {
    if (!entry) return;
    close();
    // The dialog gives the focus back first; what opens next may take it again.
    setTimeout(entry.run);
  };
  const key = (event: React.KeyboardEvent): void => {
    const last = found.length - 1;
    if (event.key === "ArrowDown") setChosen(chosen >= last ? 0 : chosen + 1);
    else if (event.key === "ArrowUp") setChosen(chosen <= 0 ? last : chosen - 1);
    else if (event.key === "PageDown") setChosen(Math.min(last, chosen + 8));
    else if (event.key === "PageUp") setChosen(Math.max(0, chosen - 8));
    else if (event.key === "Enter") run(found[chosen]);
    else return;
    event.preventDefault();
  };

  return (
    <Dialog title={t("app.commands")} onClose={close} bare>
      <div className="palette-field">
        <Icon name="search" />
        <input
          data-first role="combobox" aria-expanded="true" aria-controls={`${id}-list`} aria-autocomplete="list"
          aria-activedescendant={found[chosen] ? `${id}-${chosen}` : undefined}
          aria-label={t("app.commands")} placeholder={t("app.commands_hint")} autoComplete="off" spellCheck={false}
          value={query} onChange={(event) => setQuery(event.target.value)} onKeyDown={key}
        />
        <kbd>Esc</kbd>
      </div>
      <div id={`${id}-list`} ref={list} className="palette-results" role="listbox" aria-label={t("app.commands")}>
        {found.map((entry, index) => (
          <div key={entry.id} role="presentation">
            {index === 0 || found[index - 1]?.group !== entry.group ? <h3 role="presentation">{entry.group}</h3> : null}
            <div
              id={`${id}-${index}`} role="option" aria-selected={index === chosen} className="menu-item"
              onPointerMove={() => setChosen(index)} onClick={() => run(entry)}
            >
              <Icon name={entry.icon} small />
              <span className="clip">{entry.label}</span>
              <span className="sub">{entry.keys ? <kbd>{entry.keys}</kbd> : entry.note}</span>
            </div>
          </div>
        ))}
        {found.length === 0 ? <p className="d-nothing quiet">{t("app.nothing_found", { query })}</p> : null}
      </div>
    </Dialog>
  );
}

function ofAction(action: Action): Entry {
  return {
    id: action.id, label: labelOfAction(action), group: t(`actions.${action.group}`), icon: action.icon ?? "command", note: "",
    keys: action.keys?.[0] ? showKeys(action.keys[0]) : "", run: () => void action.perform(),
  };
}

function ofNode(node: DrawingNode): Entry {
  return {
    id: node.id, label: node.name, group: t("actions.go"), icon: ICONS[node.kind], note: t(`kind.${node.kind}`), keys: "",
    run: () => {
      useView.getState().show(node.id);
      useView.getState().set({ panel: "inspector", phoneTab: "canvas" });
    },
  };
}
