import { useState } from "react";

import { t } from "../i18n";
import { useView } from "../store/view";
import { type Action, actions, GROUPS, labelOfAction } from "./actions";
import { Dialog, Toggle } from "./controls";
import { isSingle, showKeys, singleKeysOn, turnSingleKeys } from "./keys";

/** Keys that belong to a place and are handled there. */
const ELSEWHERE = [
  { label: "shortcut.outline_arrows", keys: ["↑", "↓", "←", "→"] },
  { label: "shortcut.outline_show", keys: ["Enter"] },
  { label: "shortcut.canvas_arrows", keys: ["↑", "↓", "←", "→"] },
  { label: "shortcut.field_commit", keys: ["Enter"] },
  { label: "shortcut.field_revert", keys: ["Esc"] },
];

/** The sheet of shortcuts, made from the table that the keys are taken from. */
export function Shortcuts() {
  return useView((state) => state.dialog === "shortcuts") ? <Opened /> : null;
}

function Opened() {
  const [single, setSingle] = useState(singleKeysOn);
  const keysOf = ({ keys = [] }: Action) => keys.filter((each) => single || !isSingle(each));
  const all = actions().filter((action) => keysOf(action).length > 0);
  return (
    <Dialog title={t("app.shortcuts")} onClose={() => useView.getState().set({ dialog: null })} wide>
      <Toggle
        label={t("shortcut.single")} checked={single}
        onChange={(on) => {
          turnSingleKeys(on);
          setSingle(singleKeysOn());
        }}
      />
      <div className="d-shortcuts">
        {GROUPS.map((group) => {
          const rows = all.filter((action) => action.group === group);
          if (rows.length === 0) return null;
          return (
            <section key={group}>
              <h3>{t(`actions.${group}`)}</h3>
              <dl className="keys">
                {rows.map((action) => (
                  <Row key={action.id} label={labelOfAction(action)} keys={keysOf(action).map(showKeys)} />
                ))}
              </dl>
            </section>
          );
        })}
        <section>
          <h3>{t("actions.elsewhere")}</h3>
          <dl className="keys">{ELSEWHERE.map(({ label, keys }) => <Row key={label} label={t(label)} keys={keys} />)}</dl>
        </section>
      </div>
    </Dialog>
  );
}

function Row({ label, keys }: { label: string; keys: readonly string[] }) {
  return (
    <>
      <dt>{label}</dt>
      <dd>{keys.map((key) => <kbd key={key}>{key}</kbd>)}</dd>
    </>
  );
}
