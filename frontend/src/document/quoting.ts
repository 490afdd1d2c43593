/** How values are written in YAML: plain where it is safe for old and new parsers, quoted or as a block else. */
import type { Style } from "./source";

export type Quote = "plain" | "single" | "double";

/** A list or map that is written on one line. */
export class Flow {
  constructor(readonly value: unknown) {}
}

/** A piece of YAML that is written as it is: an alias. */
export class Verbatim {
  constructor(readonly yaml: string) {}
}

// What YAML 1.1 or 1.2 parsers read as something else than a string: Compose files meet both.
const WORDS = /^(~|null|true|false|yes|no|on|off|y|n|=|<<)$/i;
const NUMBER = /^[-+]?(\.?\d[\d_]*\.?[\d_]*([eE][-+]?\d+)?|0[xob][\da-fA-F_]+|\.(inf|nan))$/i;
const BASE_60 = /^[-+]?\d[\d_]*(:\d[\d_]*)+(\.\d*)?$/;
const DATE = /^\d{4}-\d\d?-\d\d?($|[Tt\s])/;
const FIRST = /^[,[\]{}#&*!|>'"%@`]/;
const FIRST_ALONE = /^[-?:]([\s,[\]{}]|$)/;
const CONTROL = /[\x00-\x1f\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]|[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/;
const UNSEEN = /[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]/g;

function plainIsSafe(text: string, flow: boolean): boolean {
  if (text === "" || text !== text.trim() || CONTROL.test(text)) return false;
  if (FIRST.test(text) || FIRST_ALONE.test(text) || text.startsWith("---") || text.startsWith("...")) return false;
  if (WORDS.test(text) || NUMBER.test(text) || BASE_60.test(text) || DATE.test(text)) return false;
  if (text.includes(": ") || text.includes(" #") || text.endsWith(":")) return false;
  return !flow || !/[,[\]{}:]/.test(text);
}

/** Return a string as a scalar of one line, in the wanted quotes if they can carry it. */
export function quoted(text: string, want: Quote, style: Style, flow: boolean): string {
  if (want === "plain" && plainIsSafe(text, flow)) return text;
  const quote = want === "plain" ? style.quote : want;
  if (quote === "single" && !CONTROL.test(text)) return `'${text.replaceAll("'", "''")}'`;
  return JSON.stringify(text).replace(UNSEEN, (sign) => `\\u${sign.charCodeAt(0).toString(16).padStart(4, "0")}`);
}

function scalar(value: unknown, want: Quote, style: Style, flow: boolean): string {
  if (value instanceof Verbatim) return value.yaml;
  if (value === null || value === undefined) return "null";
  if (typeof value === "number" && !Number.isFinite(value)) return Number.isNaN(value) ? ".nan" : value > 0 ? ".inf" : "-.inf";
  if (typeof value === "number" || typeof value === "boolean" || typeof value === "bigint") return String(value);
  return quoted(String(value), want, style, flow);
}

export function keyText(key: string, want: Quote, style: Style, flow: boolean, value?: unknown): string {
  // An alias behind `<<` is meant as a merge; quoted it would be a key like any other.
  if (key === "<<" && value instanceof Verbatim) return key;
  return quoted(key, want, style, flow);
}

export type Plain = { [key: string]: unknown };

export function isPlainMap(value: unknown): value is Plain {
  return (
    typeof value === "object" && value !== null && !Array.isArray(value) && !(value instanceof Flow) && !(value instanceof Verbatim)
  );
}

/** Return a value on one line; `json`: keys are quoted too, as the neighbours are. */
export function flowText(value: unknown, want: Quote, style: Style, json = false): string {
  if (value instanceof Flow) return flowText(value.value, want, style, json);
  if (Array.isArray(value)) return `[${value.map((item) => flowText(item, want, style, json)).join(", ")}]`;
  if (isPlainMap(value)) {
    const entries = Object.entries(value).filter(([, item]) => item !== undefined);
    if (entries.length === 0) return "{}";
    const key = json ? "double" : "plain";
    return `{ ${entries.map(([name, item]) => `${keyText(name, key, style, true, item)}: ${flowText(item, want, style, json)}`).join(", ")} }`;
  }
  return scalar(value, want, style, true);
}

// Lists of words that people write on one line.
const ON_ONE_LINE = new Set(["command", "entrypoint", "test"]);

/**
 * Return what follows the colon of a key at the column `column`, with its leading blank or line end; nothing for null.
 */
export function blockText(value: unknown, column: number, style: Style, want: Quote = "plain", key = ""): string {
  if (value === null || value === undefined) return "";
  if (value instanceof Flow) return ` ${flowText(value.value, want, style)}`;
  if (Array.isArray(value)) {
    if (value.length === 0) return " []";
    if (ON_ONE_LINE.has(key) && value.every((item) => typeof item !== "object")) return ` ${flowText(value, "double", style)}`;
    return value.map((item) => style.eol + itemText(item, column + style.dashStep, style, want)).join("");
  }
  if (isPlainMap(value)) {
    const lines = entryTexts(value, column + style.step, style, want);
    return lines.length === 0 ? " {}" : lines.map((line) => style.eol + " ".repeat(column + style.step) + line).join("");
  }
  return ` ${multiline(value, column + style.step, style) ?? scalar(value, want, style, false)}`;
}

/** Return each entry of a map without the indentation of its first line. */
export function entryTexts(map: Plain, column: number, style: Style, want: Quote = "plain", keys: Quote = "plain"): string[] {
  return Object.entries(map)
    .filter(([, value]) => value !== undefined)
    .map(([key, value]) => `${keyText(key, keys, style, false, value)}:${blockText(value, column, style, want, key)}`);
}

/** Return a list item with its indentation and dash. */
export function itemText(value: unknown, column: number, style: Style, want: Quote = "plain"): string {
  const lead = `${" ".repeat(column)}-`;
  if (value === null || value === undefined) return `${lead} null`;
  if (isPlainMap(value)) {
    const lines = entryTexts(value, column + 2, style, want);
    if (lines.length > 0) return `${lead} ${lines.join(style.eol + " ".repeat(column + 2))}`;
  }
  if (typeof value === "object" && !(value instanceof Verbatim)) return `${lead} ${flowText(value, want, style)}`;
  return `${lead} ${multiline(value, column + 2, style) ?? scalar(value, want, style, false)}`;
}

/** Return a string of several lines as a literal block, or null where that cannot carry it. */
function multiline(value: unknown, column: number, style: Style): string | null {
  if (typeof value !== "string" || !value.includes("\n")) return null;
  if (/[^\S\n\t ]|\r/.test(value) || CONTROL.test(value.replace(/[\n\t]/g, ""))) return null;
  const body = value.replace(/\n+$/, "");
  const ends = value.length - body.length;
  if (body === "" || /^\n*[ \t]/.test(body) || /\n[ \t]+(\n|$)/.test(body)) return null;
  const lines = [...body.split("\n"), ...Array<string>(Math.max(0, ends - 1)).fill("")];
  const indented = lines.map((line) => (line === "" ? "" : " ".repeat(column) + line));
  return `|${ends === 0 ? "-" : ends === 1 ? "" : "+"}${style.eol}${indented.join(style.eol)}`;
}
