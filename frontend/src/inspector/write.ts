import type { Path } from "../document/types";
import { say, t } from "../i18n";
import { useDocument } from "../store/document";
import { useView } from "../store/view";
import type { Entry } from "./schema";

type Data = Record<string, unknown>;

export function isMap(value: unknown): value is Data {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Return what stands at a path below a plain value; undefined when nothing does. */
export function at(value: unknown, path: Path): unknown {
  let here = value;
  for (const key of path) {
    if (Array.isArray(here)) here = here[Number(key)];
    else if (isMap(here)) here = here[key];
    else return undefined;
  }
  return here;
}

/**
 * Return the smallest change that makes `path` below `body` hold `value`: the parents that are missing come with it,
 * and those that would be left empty go with what is deleted.
 */
export function smallest(body: unknown, path: Path, value: unknown): { path: Path; value: unknown } {
  if (value === undefined) {
    let length = path.length;
    while (length > 1) {
      const parent = at(body, path.slice(0, length - 1));
      const only = Array.isArray(parent) ? parent.length === 1 : isMap(parent) && Object.keys(parent).length === 1;
      if (!only) break;
      length--;
    }
    return { path: path.slice(0, length), value: undefined };
  }
  for (let length = 0; length < path.length; length++) {
    const here = length === 0 ? body : at(body, path.slice(0, length));
    if (isMap(here) || Array.isArray(here)) continue;
    const made = path.slice(length).reduceRight<unknown>((inner, key) => (typeof key === "number" ? [inner] : { [key]: inner }), value);
    return { path: path.slice(0, length), value: made };
  }
  return { path, value };
}

/** Return the value that a text means where `before` stood: what was a number stays one when it can. */
export function like(before: unknown, text: string, entry?: Pick<Entry, "control">): unknown {
  const numeric = /^-?(0|[1-9]\d*)(\.\d+)?$/.test(text) && String(Number(text)) === text;
  if (typeof before === "number" || (before === undefined && entry?.control === "number")) return numeric ? Number(text) : text;
  if (typeof before === "boolean") return text === "true" ? true : text === "false" ? false : text;
  return text;
}

/** Return how a scalar is written in a field. */
export function asText(value: unknown): string {
  if (value === null || value === undefined) return "";
  return typeof value === "object" ? JSON.stringify(value) : String(value);
}

/** What a form edits: a body in the document, and the way to change what is in it. */
export interface Body {
  path: Path;
  value: unknown;
  readOnly: boolean;
  /** Set (undefined: delete) what is at a path below; answers null, or why it was refused. */
  set: (path: Path, value: unknown) => Promise<string | null>;
  setMany: (changes: { path: Path; value: unknown }[]) => Promise<string | null>;
  renameKey: (path: Path, to: string) => Promise<string | null>;
}

/** Carry out a command; answers null, or why it was refused. */
export async function run(command: Parameters<ReturnType<typeof useDocument.getState>["run"]>[0]): Promise<string | null> {
  const applied = await useDocument.getState().run(command);
  return applied.ok ? null : say(applied.refused);
}

/** Say a refusal aloud: switches, choices and buttons have no room beside them, and jump back to what is written. */
export function told(answer: Promise<string | null>): void {
  void answer.then((refused) => {
    if (refused !== null) useView.getState().say(refused, "refused");
  });
}

export function bodyOf(path: Path, value: unknown, readOnly: boolean): Body {
  const whole = (inner: Path): Path => [...path, ...inner];
  return {
    path,
    value,
    readOnly,
    set: (inner, wanted) => {
      const change = smallest(value, inner, wanted);
      return run({ do: "set", path: whole(change.path), value: change.value });
    },
    setMany: (changes) => run({ do: "set_many", changes: changes.map((change) => ({ ...change, path: whole(change.path) })) }),
    renameKey: (inner, to) =>
      run({ do: "fix", fix: { title: t("inspector.rename_key"), edits: [{ path: whole(inner), op: "rename", value: to }] } }),
  };
}

/** Return the body of what is in a body: a form of `healthcheck` need not know which service it is in. */
export function inner(body: Body, path: Path): Body {
  return {
    path: [...body.path, ...path],
    value: at(body.value, path),
    readOnly: body.readOnly,
    set: (below, value) => body.set([...path, ...below], value),
    setMany: (changes) => body.setMany(changes.map((change) => ({ ...change, path: [...path, ...change.path] }))),
    renameKey: (below, to) => body.renameKey([...path, ...below], to),
  };
}
