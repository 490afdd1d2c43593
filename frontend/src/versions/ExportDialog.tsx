import "./versions.css";

import { useState } from "react";

import type { Boot } from "../app/boot";
import { Dialog, Field, Icon, Select } from "../app/controls";
import type { Format } from "../export";
import { t } from "../i18n";
import { useSync } from "../store/sync";
import { useView } from "../store/view";

const FORMATS: { format: Format; icon: string }[] = [
  { format: "compose", icon: "file-code" },
  { format: "svg", icon: "topology-star-3" },
  { format: "png", icon: "download" },
];

/** Take the drawing out: as the file that it is, or as a picture. */
export function ExportDialog({ boot }: { boot: Boot }) {
  const shown = useView((view) => view.dialog === "export");
  return shown ? <Exporting name={boot.name} /> : null;
}

function Exporting({ name }: { name: string }) {
  const called = useSync((sync) => sync.name) || name;
  const [theme, setTheme] = useState<"light" | "dark">("light");
  const [busy, setBusy] = useState<Format | null>(null);
  const close = () => useView.getState().set({ dialog: null });
  const make = async (format: Format): Promise<void> => {
    if (busy) return;
    setBusy(format);
    try {
      const { download } = await import("../export");
      await download(format, called, { theme });
    } finally {
      setBusy(null);
    }
  };
  return (
    <Dialog title={t("editor.export")} onClose={close}>
      <div className="d-exports">
        {FORMATS.map(({ format, icon }, at) => (
          <button key={format} type="button" className="d-export" data-first={at === 0 ? true : undefined} aria-disabled={busy !== null} onClick={() => void make(format)}>
            <Icon name={icon} />
            <span>
              <strong>{t(`editor.export_${format}`)}</strong>
              <span className="quiet">{t(busy === format ? "editor.exporting" : `editor.export_${format}_text`)}</span>
            </span>
          </button>
        ))}
        <Field label={t("editor.export_theme")}>
          {(ids) => (
            <Select
              {...ids} value={theme} onChange={(value) => setTheme(value as typeof theme)}
              options={[{ value: "light", label: t("editor.export_light") }, { value: "dark", label: t("editor.export_dark") }]}
            />
          )}
        </Field>
      </div>
    </Dialog>
  );
}
