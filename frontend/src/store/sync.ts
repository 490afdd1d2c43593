import { create } from "zustand";

import { configureApi, newKey, type ProblemError, Unreachable, useSession } from "../api/client";
import type { Boot } from "../app/boot";
import { say } from "../i18n";
import { ask } from "../workers/client";
import { Autosave, bytesOf, type Conflict, type SyncState, type Told } from "./autosave";
import { browserCopies } from "./copies";
import { useDocument } from "./document";
import { portal, type Saved, type SaveWish } from "./server";
import { useView } from "./view";

export type { Conflict, SyncState } from "./autosave";

/** Browsers refuse more than this in a request that outlives its page. */
const KEEPALIVE_BYTES = 60_000;
const LOCK = "escale.page.";

interface State extends Told {
  /** The project that the drawing belongs to. */
  project: { id: string; name: string };
}

/** How the drawing stands with the server; `<SaveState/>` shows it. */
export const useSync = create<State>()(() => ({
  state: "saved", problem: null, draft: null, blueprint: null, baseVersion: null, name: "", savedAt: null,
  conflict: null, files: null, project: { id: "", name: "" },
}));

let machine: Autosave | null = null;

/** Begin to keep what the page was opened with; returns what ends it. */
export function startSync(boot: Boot): () => void {
  configureApi(boot);
  useSync.setState({
    project: boot.project, draft: boot.draft, blueprint: boot.blueprint, baseVersion: boot.version, name: boot.name,
    state: "saved", problem: null, conflict: null, savedAt: null, files: null,
  });
  if (boot.mode !== "draft" || !boot.may.write) return () => undefined;

  const page = newKey();
  const channel = typeof BroadcastChannel === "undefined" ? null : new BroadcastChannel("escale.drafts");
  const autosave = new Autosave(
    {
      server: portal,
      copies: browserCopies,
      document: { text: () => useDocument.getState().text, put: (text, label) => useDocument.getState().put(text, label) },
      merge: (base, mine, theirs) => ask({ ask: "merge", base, mine, theirs }),
      tell: (told) => {
        useSync.setState(told);
        const { blueprint, draft } = useSync.getState();
        if (blueprint) showDesign(boot, blueprint);
        else if (draft) showAddress(boot, draft);
        if (told.state === "conflict") useView.getState().set({ dialog: "conflict" });
      },
      say: (message) => useView.getState().say(message),
      announce: (draft, revision, text) => channel?.postMessage({ draft, revision, text }),
      others: openPages,
      now: () => Date.now(),
    },
    {
      user: boot.user, page, project: boot.project.id, draft: boot.draft, blueprint: boot.blueprint,
      version: boot.version, name: boot.name, text: boot.text,
    },
    newKey,
  );
  machine = autosave;
  const closing = new AbortController();
  const { signal } = closing;
  holdLock(page, signal);
  const unsubscribe = useDocument.subscribe((now, before) => {
    if (now.text !== before.text) autosave.changed();
  });
  if (channel) {
    channel.onmessage = ({ data }: MessageEvent<{ draft: string; revision: number; text: string }>) =>
      void autosave.heard(data.draft, data.revision, data.text);
  }
  const again = () => {
    if (["offline", "signed_out"].includes(autosave.state)) void autosave.flush();
  };
  addEventListener("online", again, { signal });
  addEventListener("focus", again, { signal });
  document.addEventListener("visibilitychange", () => {
    if (document.visibilityState === "visible") return again();
    autosave.keepCopy();
    if (autosave.dirty) void autosave.flush();
  }, { signal });
  addEventListener("pagehide", () => autosave.keepCopy(), { signal });
  addEventListener("beforeunload", (event) => {
    autosave.keepCopy();
    if (!autosave.dirty) return;
    const { state, draft } = useSync.getState();
    const small = bytesOf(JSON.stringify(useDocument.getState().text)) < KEEPALIVE_BYTES;
    if (small && draft !== null && state === "dirty") void autosave.flush({ keepalive: true });
    else event.preventDefault(); // only now is something on its way or unsent
  }, { signal });
  void autosave.open();

  return () => {
    closing.abort();
    unsubscribe();
    autosave.stop();
    channel?.close();
    if (machine === autosave) machine = null;
  };
}

/** Give the drawing a name of its own; it travels with the next autosave. */
export function rename(name: string): void {
  machine?.rename(name);
}

/** Keep files beside the drawing, by their path from it: what a template brings, or what was dropped. */
export function attachFiles(files: Readonly<Record<string, string>>): void {
  machine?.attach(files);
}

/** Take a file away from beside the drawing. */
export function detachFile(path: string): void {
  machine?.detach(path);
}

export type SaveAnswer =
  | { ok: true; saved: Saved }
  /** `state` says what stands in the way when there is no problem document: "conflict" is shown by its dialog. */
  | { ok: false; problem: ProblemError | null; state: SyncState };

/** Make a version of what is drawn; the design when there is none yet. */
export async function saveVersion(wish: SaveWish): Promise<SaveAnswer> {
  if (!machine) return { ok: false, problem: null, state: "refused" };
  const answer = await machine.save(wish);
  if ("saved" in answer) {
    useSync.setState({ savedAt: Date.now() });
    return { ok: true, saved: answer.saved };
  }
  if ("problem" in answer) {
    if (answer.problem instanceof Unreachable) return { ok: false, problem: null, state: "offline" };
    return { ok: false, problem: answer.problem, state: useSession.getState().signedOut ? "signed_out" : "refused" };
  }
  return { ok: false, problem: null, state: answer.state };
}

/** Send what is unsent at once; true when the server has everything. */
export async function flush(): Promise<boolean> {
  return (await machine?.flush()) ?? true;
}

/** End a conflict with a text made of both; false: mine had changed, and the conflict is shown anew. */
export async function resolveConflict(text: string): Promise<boolean> {
  return (await machine?.resolve(text)) ?? true;
}

export async function refreshConflict(): Promise<Conflict | null> {
  await machine?.refreshConflict();
  return useSync.getState().conflict;
}

/** The state in words. */
export function stateText(state: SyncState): string {
  return say({ key: `editor.sync.${state}` });
}

/** A draft of a new drawing has an address of its own, so that a reload leads to it. */
function showAddress(boot: Boot, draft: string): void {
  if (boot.draft === draft || boot.blueprint !== null || typeof history === "undefined") return;
  const address = `${boot.urls.designs.replace(/\/?$/, "/")}drafts/${draft}/`;
  if (location.pathname !== address) history.replaceState(history.state, "", address);
}

/** Once it is saved, a new drawing has its design's address and name. */
function showDesign(boot: Boot, design: { id: string; name: string }): void {
  if (boot.blueprint !== null || typeof history === "undefined") return;
  const address = `${boot.urls.designs.replace(/\/?$/, "/")}${design.id}/canvas/`;
  if (location.pathname === address) return;
  history.replaceState(history.state, "", address);
  document.title = document.title.replace(/^.*?(?= · )/, design.name);
}

/** Hold a lock while the page is open: others see by it that the copies of this page are looked after. */
function holdLock(page: string, signal: AbortSignal): void {
  if (typeof navigator === "undefined" || !navigator.locks) return;
  void navigator.locks
    .request(LOCK + page, () => new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve())))
    .catch(() => undefined);
}

async function openPages(): Promise<Set<string>> {
  if (typeof navigator === "undefined" || !navigator.locks) return new Set();
  const { held = [] } = await navigator.locks.query();
  return new Set(held.flatMap(({ name }) => (name?.startsWith(LOCK) ? [name.slice(LOCK.length)] : [])));
}
