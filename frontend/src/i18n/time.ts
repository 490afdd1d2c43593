import { currentLanguage } from "./index";

const STEPS: [Intl.RelativeTimeFormatUnit, number][] = [
  ["year", 31_557_600], ["month", 2_629_800], ["week", 604_800], ["day", 86_400], ["hour", 3_600], ["minute", 60],
];

/** Say how long ago a moment was; the moment itself belongs into the title. */
export function sinceWords(iso: string, now = Date.now()): string {
  const seconds = (Date.parse(iso) - now) / 1_000;
  if (Number.isNaN(seconds)) return iso;
  const words = new Intl.RelativeTimeFormat(currentLanguage(), { numeric: "auto" });
  const step = STEPS.find(([, size]) => Math.abs(seconds) >= size);
  return step ? words.format(Math.round(seconds / step[1]), step[0]) : words.format(Math.min(0, Math.round(seconds)), "second");
}

export function moment(iso: string): string {
  const date = new Date(iso);
  return Number.isNaN(date.getTime()) ? iso : new Intl.DateTimeFormat(currentLanguage(), { dateStyle: "medium", timeStyle: "short" }).format(date);
}

/** Show an amount of money given as a decimal text, as price lists have it. */
export function money(amount: string, currency: string, digits = 2): string {
  try {
    return new Intl.NumberFormat(currentLanguage(), { style: "currency", currency, maximumFractionDigits: digits, minimumFractionDigits: Math.min(2, digits) }).format(Number(amount));
  } catch {
    return `${amount} ${currency}`; // letters that are no currency
  }
}
