import type { Port } from "./types";

/** Split at colons that stand outside `${VAR:-default}` and `[::1]`. */
export function splitColons(text: string): string[] {
  const parts: string[] = [];
  let depth = 0;
  let from = 0;
  for (let i = 0; i < text.length; i++) {
    const sign = text[i];
    if (sign === "{" || sign === "[") depth++;
    else if (sign === "}" || sign === "]") depth = Math.max(0, depth - 1);
    else if (sign === ":" && depth === 0) {
      parts.push(text.slice(from, i));
      from = i + 1;
    }
  }
  parts.push(text.slice(from));
  return parts;
}

/** Read `[[address:]published:]target[/protocol]`. */
export function shortPort(text: string): Port | null {
  const parts = splitColons(text.trim());
  const slash = /^(.*)\/(\w+)$/.exec(parts.at(-1) ?? "");
  const target = slash ? (slash[1] as string) : (parts.at(-1) ?? "");
  if (target === "") return null;
  return { published: parts.length > 1 ? (parts.at(-2) as string) : "", target, protocol: slash ? (slash[2] as string).toLowerCase() : "tcp" };
}

/** Read `[source:]target[:mode]` of a mount; `name` is "" when it is not a named volume. */
export function shortMount(text: string): { name: string; source: string; target: string } {
  const parts = splitColons(text.trim());
  const [source = "", target = ""] = parts;
  if (parts.length === 1) return { name: "", source: "", target: source };
  // One letter before a backslash is a drive of Windows.
  const drive = /^[A-Za-z]$/.test(source) && /^[\\/]/.test(target) && parts.length > 2;
  return { name: !drive && /^[A-Za-z0-9][\w.-]*$/.test(source) ? source : "", source, target };
}
