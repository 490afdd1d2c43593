import type { Message } from "../document/types";
import { en } from "./en";

export type Key = keyof typeof en;
type Catalogue = Record<string, string>;

let catalogue: Catalogue = en;
let language = "en";
let plural = new Intl.PluralRules("en");

/** Choose the language; French is a chunk of its own. Plural forms: `key_one` and `key_other`, chosen by `count`. */
export async function useLanguage(wanted: string): Promise<void> {
  language = wanted === "fr" ? "fr" : "en";
  plural = new Intl.PluralRules(language);
  catalogue = language === "fr" ? { ...en, ...(await import("./fr")).fr } : en;
}

export function currentLanguage(): string {
  return language;
}

/** Return the text of a key, with `{name}` replaced; an unknown key is shown as it is, so that it is noticed. */
export function t(key: string, params: Record<string, string | number> = {}): string {
  const form = "count" in params ? catalogue[`${key}_${plural.select(Number(params.count))}`] ?? catalogue[`${key}_other`] : undefined;
  const text = form ?? catalogue[key] ?? key;
  return text.replace(/\{(\w+)\}/g, (whole, name: string) => (name in params ? String(params[name]) : whole));
}

export function say(message: Message | string): string {
  return typeof message === "string" ? message : t(message.key, message.params);
}

export function number(value: number, digits = 0): string {
  return new Intl.NumberFormat(language, { maximumFractionDigits: digits }).format(value);
}
