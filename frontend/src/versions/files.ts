import { create } from "zustand";

import { api, take } from "../api/client";
import { bytesOf, MAX_BYTES } from "../store/autosave";
import { useDocument } from "../store/document";
import { attachFiles, useSync } from "../store/sync";
import { useView } from "../store/view";
import type { Message } from "../document/types";

export interface Source {
  name: string;
  text: string;
}

interface ImportState {
  sources: Source[];
  /** Files that could not be taken, with the reason. */
  refused: Message[];
}

export const useImport = create<ImportState>()(() => ({ sources: [], refused: [] }));

const MOST_FILES = 20;

/** Read files as text, byte for byte; what is no text, or too large, is refused with its name. */
export async function readFiles(files: readonly File[]): Promise<ImportState> {
  const sources: Source[] = [];
  const refused: Message[] = [];
  for (const file of files.slice(0, MOST_FILES)) {
    const name = file.name || "compose.yaml";
    if (file.size > MAX_BYTES) {
      refused.push({ key: "editor.file_too_large", params: { name } });
      continue;
    }
    try {
      // A byte order mark is a part of the file.
      const text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(await file.arrayBuffer());
      if (text.includes("\0")) throw new TypeError("binary");
      sources.push({ name, text });
    } catch {
      refused.push({ key: "editor.file_binary", params: { name } });
    }
  }
  if (files.length > MOST_FILES) refused.push({ key: "editor.too_many_files", params: { count: MOST_FILES } });
  return { sources, refused };
}

const isEmpty = () => useDocument.getState().text.trim() === "";

/**
 * Take dropped files: the only Compose file replaces a drawing that is empty; otherwise the dialog asks. What is no
 * YAML stands beside the drawing.
 */
export async function takeDropped(files: readonly File[]): Promise<void> {
  if (files.length === 0 || useDocument.getState().readOnly) return;
  const { sources: all, refused } = await readFiles(files);
  const sources = all.filter(({ name }) => /\.ya?ml$/i.test(name));
  const beside = all.filter((source) => !sources.includes(source));
  if (beside.length > 0) {
    const text = [...sources.map((source) => source.text), useDocument.getState().text].join("\n");
    attachFiles(Object.fromEntries(beside.map((source) => [pathIn(text, source.name), source.text])));
    useView.getState().say({ key: "editor.attached", params: { names: beside.map(({ name }) => name).join(", ") } });
    if (sources.length === 0 && refused.length === 0) return;
  }
  const only = sources[0];
  if (only && sources.length === 1 && refused.length === 0 && isEmpty()) return replaceBy(only.text, only.name);
  const first = refused[0];
  if (sources.length === 0 && first) return useView.getState().say(first, "refused");
  useImport.setState({ sources, refused });
  useView.getState().set({ dialog: "import" });
}

/** A path is not longer than this; a text may be a megabyte of one word. */
const LONGEST_FOLDER = 1_000;

/** Return the path by which a Compose text names a file that was dropped without its folder. */
export function pathIn(text: string, name: string): string {
  const wanted = `/${name}`;
  for (let at = text.indexOf(wanted); at !== -1; at = text.indexOf(wanted, at + 1)) {
    if (/[\w./-]/.test(text[at + wanted.length] ?? "")) continue;
    let from = at;
    while (from > 0 && at - from < LONGEST_FOLDER && /[\w./-]/.test(text[from - 1] ?? "")) from--;
    const folder = text.slice(from, at).replace(/^(\.?\/)+/, "");
    if (folder !== "" && folder !== ".") return folder + wanted;
  }
  return name;
}

export function replaceBy(text: string, name: string): void {
  useDocument.getState().put(text, { key: "editor.imported", params: { name } });
  useView.getState().say({ key: "editor.imported", params: { name } });
  useView.getState().fit();
}

/** Make one text of several files; of one, that text as it is. Throws what the server refuses. */
export async function joined(sources: readonly Source[]): Promise<string> {
  const [only] = sources;
  if (only && sources.length === 1) return only.text;
  const { draft, blueprint } = useSync.getState();
  const beside = draft ? { draft } : blueprint ? { blueprint: blueprint.id } : {};
  const files = sources.map(({ name, text }) => ({ name, compose: text }));
  return (await take(api.POST("/api/v1/blueprints/merge/", { body: { files, ...beside } }))).compose;
}

export const tooLarge = (text: string): boolean => bytesOf(text) > MAX_BYTES;
