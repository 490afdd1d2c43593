/** The short syntaxes of Compose: a line with parts. Variables such as `${PORT:-80}` are parts as any other. */

/** Split at colons that are neither in `${…}` nor in `[…]` (IPv6). */
export function parts(text: string): string[] {
  const found: string[] = [];
  let depth = 0;
  let from = 0;
  for (let index = 0; index < text.length; index++) {
    const sign = text[index];
    if (sign === "{" || sign === "[") depth++;
    else if (sign === "}" || sign === "]") depth--;
    else if (sign === ":" && depth === 0) {
      found.push(text.slice(from, index));
      from = index + 1;
    }
  }
  return [...found, text.slice(from)];
}

export interface ShortPort {
  ip: string;
  published: string;
  target: string;
  protocol: string;
}

/** Read `[[IP:]PUBLISHED:]TARGET[/PROTOCOL]`; null for what is no such line. */
export function readPort(text: string): ShortPort | null {
  const slash = /^(.*)\/([a-z]+)$/.exec(text);
  const split = parts(slash?.[1] ?? text);
  const [target = "", published = "", ip = ""] = [...split].reverse();
  if (split.length > 3 || target === "") return null;
  return { ip, published, target, protocol: slash?.[2] ?? "" };
}

/** Write a port as short as it can be said. */
export function writePort({ ip, published, target, protocol }: ShortPort): string {
  const head = ip ? `${ip}:${published}:` : published ? `${published}:` : "";
  return `${head}${target}${protocol ? `/${protocol}` : ""}`;
}

export interface ShortMount {
  source: string; // "" for an anonymous volume
  target: string;
  mode: string;
}

/** Read `[SOURCE:]TARGET[:MODE]`; null for what is no such line. */
export function readMount(text: string): ShortMount | null {
  const split = parts(text);
  if (split.length > 3 || split.some((part) => part === "")) return null;
  if (split.length === 1) return { source: "", target: split[0] ?? "", mode: "" };
  // `/data:ro`: a mode is no path
  if (split.length === 2 && !/^[/$~.]/.test(split[1] ?? "")) return { source: "", target: split[0] ?? "", mode: split[1] ?? "" };
  return { source: split[0] ?? "", target: split[1] ?? "", mode: split[2] ?? "" };
}

export function writeMount({ source, target, mode }: ShortMount): string {
  return [source, target, mode].filter(Boolean).join(":");
}

/** Split `KEY=value`; the value is null when there is none and the environment of the engine gives it. */
export function readPair(text: string): { key: string; value: string | null } {
  const sign = text.indexOf("=");
  return sign < 0 ? { key: text, value: null } : { key: text.slice(0, sign), value: text.slice(sign + 1) };
}

export function writePair(key: string, value: string | null): string {
  return value === null ? key : `${key}=${value}`;
}
