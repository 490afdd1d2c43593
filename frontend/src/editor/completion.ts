import { autocompletion, type Completion, type CompletionContext, type CompletionResult, completionKeymap } from "@codemirror/autocomplete";
import type { Extension } from "@codemirror/state";
import { keymap } from "@codemirror/view";

import generated from "../inspector/schema.gen.json";
import { helpOf, type Place } from "../inspector/schema";
import { useDocument } from "../store/document";
import { caretAt } from "./place";

type Entries = Record<string, { enum?: string[]; control?: string }>;
const schema = generated as unknown as Record<Place, Entries>;

const TOP = ["name", "services", "volumes", "networks", "configs", "secrets", "include", "x-escale"];
const SECTIONS: Record<string, Place> = {
  services: "service", volumes: "volume", networks: "network", configs: "config", secrets: "secret",
};
const EXTENDED: Record<string, Place> = { service: "x-service", volume: "x-volume", network: "x-network" };
const CANVAS_ONLY = "canvas"; // what the designer writes itself

/** Lead from the keys above the caret to the part of the schema that they stand in. */
function placeOf(path: readonly string[]): { place: Place; inner: string[] } | null {
  const [section, , ...inner] = path;
  if (section === "x-escale") {
    if (path[1] === "regions" && path.length > 2) return { place: "x-region", inner: path.slice(3) };
    if (path[1] === "machines" && path.length > 2) return { place: "x-machine", inner: path.slice(3) };
    return path[1] === CANVAS_ONLY ? null : { place: "x-project", inner: path.slice(1) };
  }
  const place = section === undefined ? undefined : SECTIONS[section];
  if (!place || path.length < 2) return null;
  const extended = EXTENDED[place];
  if (inner[0] === "x-escale") return extended ? { place: extended, inner: inner.slice(1) } : null;
  return { place, inner };
}

function keysIn({ place, inner }: { place: Place; inner: string[] }): Completion[] {
  const prefixes = inner.length === 0 ? [""] : [`${inner.join(".")}.`, `${inner.join(".")}[].`];
  const found: Completion[] = [];
  for (const key of Object.keys(schema[place])) {
    const prefix = prefixes.find((one) => key.startsWith(one));
    const rest = prefix === undefined ? "" : key.slice(prefix.length);
    if (!rest || /[.[]/.test(rest)) continue;
    found.push({ label: rest, type: "property", apply: `${rest}: `, info: () => note(helpOf(place, key)) });
  }
  if (inner.length === 0 && EXTENDED[place]) found.push({ label: "x-escale", type: "property", apply: "x-escale: " });
  return found;
}

function note(words: string): { dom: HTMLElement } | null {
  if (!words) return null;
  const dom = document.createElement("p");
  dom.textContent = words;
  return { dom };
}

const NAMED: Record<string, string> = {
  depends_on: "service", networks: "network", volumes: "volume", configs: "config", secrets: "secret", machine: "machine",
  region: "region", links: "service",
};

/** Values that the place takes: those of the schema, and the names that the drawing has. */
function valuesIn(path: readonly string[]): Completion[] {
  const found = placeOf(path);
  const key = found?.inner.join(".") ?? "";
  const entry = found ? schema[found.place][key] : undefined;
  const words = entry?.enum ?? (entry?.control === "toggle" ? ["true", "false"] : []);
  const kind = NAMED[path[path.length - 1] ?? ""];
  const names = kind ? useDocument.getState().drawing.nodes.filter((node) => node.kind === kind).map((node) => node.name) : [];
  return [...words.map((label) => ({ label, type: "enum" })), ...names.map((label) => ({ label, type: "variable" }))];
}

export function complete(context: CompletionContext): CompletionResult | null {
  const { doc } = context.state;
  const line = doc.lineAt(context.pos);
  const before = line.text.slice(0, context.pos - line.from);
  const word = /[\w.-]*$/.exec(before)?.[0] ?? "";
  if (word === "" && !context.explicit) return null;
  const caret = caretAt(line.number, before, doc.lines, (number) => doc.line(number).text);
  const from = context.pos - word.length;
  const listed = /^\s*- /.test(before);
  let options: Completion[];
  if (!caret.key) options = valuesIn(caret.path);
  else if (caret.path.length === 0) options = TOP.map((label) => ({ label, type: "property", apply: label === "name" ? "name: " : `${label}:\n  ` }));
  else {
    const place = placeOf(caret.path);
    options = place ? keysIn(place) : [];
    if (listed || place?.inner.length) options = [...options, ...valuesIn(caret.path)];
  }
  const taken = new Set(caret.siblings);
  options = options.filter(({ label, type }) => type !== "property" || !taken.has(label));
  return options.length > 0 ? { from, options, validFor: /^[\w.-]*$/ } : null;
}

/** Completion, with keys that leave Tab to the way out of the editor. */
export const completing: Extension = [
  autocompletion({ override: [complete], icons: false, activateOnTypingDelay: 150 }),
  keymap.of(completionKeymap),
];
