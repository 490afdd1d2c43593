import { useDocument } from "../store/document";
import { useView } from "../store/view";
import { type Action, actions, isEnabled } from "./actions";
import { paste, perform, selectionAsYaml } from "./gestures";

const APPLE = typeof navigator !== "undefined" && /Mac|iPhone|iPad/.test(navigator.platform);

/** Write keys such as `Mod+Shift+Z` as they stand on the reader's keyboard. */
export function showKeys(keys: string): string {
  const names: Record<string, string> = APPLE
    ? { Mod: "⌘", Shift: "⇧", Alt: "⌥", Delete: "⌫", Enter: "↩" }
    : { Mod: "Ctrl", Delete: "Del", Escape: "Esc" };
  const parts = (keys === "+" ? ["+"] : keys.split("+")).map((part) => names[part] ?? part);
  return APPLE ? parts.join("") : parts.join(" ");
}

/** True when a pressed key is what `Mod+Shift+Z` says. Signs and digits are meant as typed:
 * some keyboards need Shift for them. */
export function matches(event: KeyboardEvent, keys: string): boolean {
  const parts = keys.split("+").filter(Boolean);
  const key = keys.endsWith("+") ? "+" : parts[parts.length - 1] ?? "";
  const mod = parts.includes("Mod");
  const pressed = APPLE ? event.metaKey : event.ctrlKey;
  if (pressed !== mod || (APPLE ? event.ctrlKey : event.metaKey)) return false;
  if (event.altKey !== parts.includes("Alt")) return false;
  const sign = key.length === 1 && !/[a-z]/i.test(key);
  if (!sign && event.shiftKey !== parts.includes("Shift")) return false;
  return event.key.toLowerCase() === key.toLowerCase();
}

/** True where keys are text: fields, and the editor, which has keys of its own. */
export function isTyping(target: EventTarget | null): boolean {
  return target instanceof Element && target.closest("input, textarea, select, [contenteditable=''], [contenteditable=true], .cm-editor") !== null;
}

const SINGLE = "escale.single-keys";

/** True unless somebody has turned off the keys that are pressed without Ctrl: who speaks to a computer presses them unawares. */
export function singleKeysOn(): boolean {
  try {
    return localStorage.getItem(SINGLE) !== "off";
  } catch {
    return true;
  }
}

export function turnSingleKeys(on: boolean): void {
  try {
    if (on) localStorage.removeItem(SINGLE);
    else localStorage.setItem(SINGLE, "off");
  } catch {
    // nothing is remembered here, so they stay on
  }
}

/** True for a letter, a digit or a sign alone or with Shift; WCAG 2.1.4 asks that these can be turned off. */
export function isSingle(keys: string): boolean {
  return keys === "+" || /^(Shift\+)?[^+]$/.test(keys);
}

function actionFor(event: KeyboardEvent): Action | undefined {
  const typing = isTyping(event.target);
  const single = singleKeysOn();
  const means = (keys: string) => matches(event, keys) && (single || !isSingle(keys));
  return actions().find((action) => !action.native && (action.everywhere || !typing) && action.keys?.some(means) && isEnabled(action));
}

/** On a button beside the canvas, Del does not mean the card that happens to be selected. */
function isElsewhere(target: EventTarget | null): boolean {
  return target instanceof Element && target.closest(".d-panel, .d-toolbar, .d-yaml, .d-status") !== null;
}

function onKey(event: KeyboardEvent): void {
  if (event.defaultPrevented || event.isComposing || document.querySelector("dialog[open]")) return;
  const action = actionFor(event);
  if (!action || (action.id === "remove" && isElsewhere(event.target))) return;
  event.preventDefault();
  void action.perform();
}

/** True when copying means the cards and not a text that is marked or typed in. */
function meansCards(event: ClipboardEvent): boolean {
  return !isTyping(event.target) && !document.querySelector("dialog[open]") && (getSelection()?.isCollapsed ?? true);
}

function onCopy(event: ClipboardEvent): void {
  const { selection, say } = useView.getState();
  if (event.defaultPrevented || selection.length === 0 || !meansCards(event)) return;
  const cut = event.type === "cut";
  if (cut && useDocument.getState().readOnly) return;
  event.preventDefault();
  // The worker answers later than the event may wait for it; the clipboard takes a promise where it can.
  const nodes = selection;
  const yaml = selectionAsYaml();
  void write(yaml).then(
    () => {
      if (cut) void perform({ do: "remove", nodes, edges: [] });
      else say({ key: "app.copied", params: { count: nodes.length } });
    },
    () => say({ key: "app.no_clipboard" }, "refused"),
  );
}

async function write(yaml: Promise<string>): Promise<void> {
  if (typeof ClipboardItem !== "undefined") {
    const blob = yaml.then((text) => new Blob([text], { type: "text/plain" }));
    await navigator.clipboard.write([new ClipboardItem({ "text/plain": blob })]);
  } else await navigator.clipboard.writeText(await yaml);
}

function onPaste(event: ClipboardEvent): void {
  if (event.defaultPrevented || !meansCards(event) || useDocument.getState().readOnly) return;
  const yaml = event.clipboardData?.getData("text/plain") ?? "";
  if (yaml.trim() === "") return;
  event.preventDefault();
  void paste(yaml);
}

/** The page's own frame asks for its shortcuts; here that means the designer's. Its search stays the portal's. */
function onPageAsks(event: Event): void {
  if (!(event instanceof CustomEvent) || event.detail !== "shortcuts") return;
  event.preventDefault();
  useView.getState().set({ dialog: "shortcuts" });
}

/** Listen to the keys of the action table and to copy, cut and paste; answers how to stop. */
export function installKeys(): () => void {
  document.addEventListener("escale:opens", onPageAsks);
  window.addEventListener("keydown", onKey);
  document.addEventListener("copy", onCopy);
  document.addEventListener("cut", onCopy);
  document.addEventListener("paste", onPaste);
  return () => {
    document.removeEventListener("escale:opens", onPageAsks);
    window.removeEventListener("keydown", onKey);
    document.removeEventListener("copy", onCopy);
    document.removeEventListener("cut", onCopy);
    document.removeEventListener("paste", onPaste);
  };
}
