import type { Message } from "../document/types";
import { attachFiles, detachFile } from "../store/sync";
import { useView } from "../store/view";
import { readFiles } from "../versions/files";
import { isMap } from "./write";

/** More than a configuration or a password needs; the portal takes up to 1 MiB by other ways. */
export const MOST_BYTES = 256 * 1024;

/** Return a path as the portal stores it, or null when no file beside the drawing can be meant. */
export function besidePath(text: string): string | null {
  const path = text.trim().replaceAll("\\", "/");
  if (path === "" || path.length > 400 || path.startsWith("/") || path.startsWith("~") || path.includes("$") || /[\u0000-\u001f]/.test(path)) return null;
  const parts: string[] = [];
  for (const part of path.split("/")) {
    if (part === "..") {
      if (parts.length === 0) return null;
      parts.pop();
    } else if (part !== "" && part !== ".") parts.push(part);
  }
  return parts.length === 0 || parts[0]?.includes(":") ? null : parts.join("/");
}

/** Return the paths of the files that configs, secrets and services name and cannot do without, each once. */
export function wantedFiles(services: unknown, configs: unknown, secrets: unknown): string[] {
  const named: unknown[] = [];
  for (const section of [secrets, configs]) if (isMap(section)) for (const entry of Object.values(section)) if (isMap(entry)) named.push(entry.file);
  if (isMap(services)) {
    for (const service of Object.values(services)) {
      const files = isMap(service) ? service.env_file : undefined;
      for (const file of Array.isArray(files) ? files : [files]) {
        if (!isMap(file)) named.push(file);
        else if (file.required !== false && file.required !== "false") named.push(file.path);
      }
    }
  }
  return [...new Set(named.flatMap((path) => (typeof path === "string" ? besidePath(path) ?? [] : [])))];
}

/** Keep a text beside the drawing, and say so. */
export function keep(path: string, text: string): void {
  attachFiles({ [path]: text });
  useView.getState().say({ key: "inspector.file_kept", params: { name: path } });
}

export function drop(path: string): void {
  detachFile(path);
  useView.getState().say({ key: "inspector.file_gone", params: { name: path } });
}

/** Read a file that was chosen and keep it; what is too large or no text is refused with the reason. */
export async function take(file: File, path: string): Promise<void> {
  const refuse = (message: Message): void => useView.getState().say(message, "refused");
  if (file.size > MOST_BYTES) return refuse({ key: "inspector.file_too_large", params: { name: file.name } });
  const { sources } = await readFiles([file]);
  if (sources[0]) keep(path, sources[0].text);
  else refuse({ key: "inspector.file_no_text", params: { name: file.name } });
}
