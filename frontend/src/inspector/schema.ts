import { currentLanguage, t } from "../i18n";
import generated from "./schema.gen.json";

export type Place =
  | "service" | "volume" | "network" | "config" | "secret"
  | "x-project" | "x-service" | "x-volume" | "x-network" | "x-machine" | "x-region";

export type Control = "text" | "number" | "select" | "toggle" | "map" | "list" | "line_or_list" | "yaml";

/** What the specification says of a key; made by scripts/schema.mjs. */
export interface Entry {
  help: string;
  control: Control;
  enum?: string[];
  minimum?: number;
  exclusiveMinimum?: number;
  maximum?: number;
  maxLength?: number;
  pattern?: string;
  /** Numbers only: neither variables nor units. */
  strict?: boolean;
  whole?: boolean;
}

const places = generated as unknown as Record<Place, Record<string, Entry>>;

/** Return what the schema says of a key such as `deploy.resources.limits.cpus`. */
export function entryOf(place: Place, key: string): Entry {
  const found = places[place][key];
  if (!found) throw new Error(`the schema knows no ${place} ${key}`);
  return found;
}

/** Return the keys that a service, volume, … may have, without those inside of others. */
export function topKeys(place: Place): string[] {
  return Object.keys(places[place]).filter((key) => !/[.[]/.test(key));
}

/** Return the specification's words on a key, in the reader's language where they have been put into it. */
export function helpOf(place: Place, key: string): string {
  const known = places[place][key];
  if (currentLanguage() !== "en") {
    const wanted = `help.${place}.${key}`;
    const said = t(wanted);
    if (said !== wanted) return said;
  }
  return known?.help ?? "";
}

/** Return the name of a field in the reader's language; a key without one is called what it is. */
export function labelOf(place: Place, key: string): string {
  const wanted = `field.${place.startsWith("x-") ? place : place === "service" ? "service" : "common"}.${key}`;
  const said = t(wanted);
  return said === wanted ? key : said;
}
