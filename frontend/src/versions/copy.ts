import { useView } from "../store/view";

/** Copy a text; where the clipboard is closed (no TLS) the field is there to be copied from. */
export async function copy(text: string): Promise<void> {
  try {
    await navigator.clipboard.writeText(text);
    useView.getState().say({ key: "editor.copied" });
  } catch {
    useView.getState().say({ key: "editor.not_copied" }, "refused");
  }
}
