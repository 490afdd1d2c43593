import type { Change } from "../changes";
import type { Draft } from "../draft";
import { locate, Refused } from "../locate";
import { bodyAt } from "../reading";
import { flowText } from "../quoting";
import { isBlock } from "../layout";
import { parse } from "../source";
import { Tree } from "../tree";
import type { Applied, Command, Path } from "../types";

export function set(draft: Draft, { path, value }: Extract<Command, { do: "set" }>): Applied {
  if (path.length === 0) throw new Refused({ key: "document.no_path" });
  draft.set([{ path, value }]);
  return draft.done(labelOf(path, value));
}

export function setMany(draft: Draft, { changes, label }: Extract<Command, { do: "set_many" }>): Applied {
  if (changes.some(({ path }) => path.length === 0)) throw new Refused({ key: "document.no_path" });
  draft.set(changes);
  const [first] = changes;
  return draft.done(label ?? (first ? labelOf(first.path, first.value) : { key: "command.set", params: { key: "", name: "" } }));
}

function labelOf(path: Path, value: unknown): { key: string; params: Record<string, string> } {
  const key = path.filter((part) => typeof part === "string").at(-1) ?? "";
  const name = String(path[0] === "x-escale" ? (path[2] ?? "") : (path[1] ?? path[0]));
  return { key: value === undefined ? "command.unset" : "command.set", params: { key: String(key), name } };
}

/** Write the body of one node as it was edited. */
export function setYaml(draft: Draft, { path, yaml }: Extract<Command, { do: "set_yaml" }>): Applied {
  const label = { key: "command.set_yaml", params: { name: String(path.at(-1) ?? "") } };
  const own = yaml.replaceAll("\r\n", "\n").replace(/\s+$/, "");
  const alone = parse(own);
  const mistakes = alone.mistakes.filter(({ code }) => code !== "BAD_ALIAS");
  if (mistakes.length > 0 || alone.many || alone.end < own.length) {
    const line = own.slice(0, mistakes[0]?.from ?? 0).split("\n").length;
    throw new Refused({ key: "document.body_broken", params: { line } });
  }
  const { source } = draft;
  const { text, style } = source;
  const body = bodyAt(source, path);
  if (!body) {
    if (locate(draft.tree, path, null)?.direct === false) throw new Refused({ key: "document.inherited", params: { name: String(path.at(-1)) } });
    draft.set([{ path, value: new Tree(alone).plain(new Tree(alone).root) }]);
    return draft.done(label);
  }
  const block = isBlock(alone.root) || (own !== "" && alone.root === null);
  const indented = (column: number): string => own.split("\n").map((line) => (line === "" ? "" : " ".repeat(column) + line)).join(style.eol);
  const beside = indented(body.column).trimStart();
  const gap = text[body.from - 1] === ":" && own !== "" ? " " : "";
  if (body.inFlow) replace(draft, body.from, body.to, gap + (block ? flowText(new Tree(alone).plain(new Tree(alone).root), "plain", style) : beside));
  else if (block && body.below) replace(draft, body.from, body.to, indented(body.column) + endAt(text, body.to, style.eol));
  else if (block) replace(draft, blanksBefore(text, body.from, /[ \t]/), body.to, style.eol + indented(body.column + style.step));
  else if (body.below) {
    // A value of one line comes behind the key again.
    const from = blanksBefore(text, body.from, /\s/);
    if (text.slice(text.lastIndexOf("\n", from - 1) + 1, from).includes(" #")) throw new Refused({ key: "document.body_comment" });
    replace(draft, from, body.to, (own === "" ? "" : ` ${beside}`) + endAt(text, body.to, style.eol));
  } else replace(draft, body.from, body.to, gap + beside);
  return draft.done(label);
}

function blanksBefore(text: string, at: number, blank: RegExp): number {
  while (at > 0 && blank.test(text[at - 1] as string)) at--;
  return at;
}

function endAt(text: string, at: number, eol: string): string {
  return text[at - 1] === "\n" ? eol : "";
}

function replace(draft: Draft, from: number, to: number, insert: string): void {
  if (draft.text.slice(from, to) !== insert) draft.edit([{ from, to, insert }]);
}

/** Make the edits of a fix. */
export function fix(draft: Draft, command: Extract<Command, { do: "fix" }>): Applied {
  const { title, edits } = command.fix;
  const renames: Change[] = edits.flatMap((edit) => (edit.op === "rename" ? [{ op: "rename" as const, path: edit.path, to: String(edit.value ?? "") }] : []));
  for (const { path } of renames) {
    if (locate(draft.tree, path, undefined)?.direct !== true) throw new Refused({ key: "document.inherited", params: { name: String(path.at(-1)) } });
  }
  draft.set(edits.filter(({ op }) => op !== "rename").map(({ path, op, value }) => ({ path, value: op === "delete" ? undefined : value })));
  draft.write(renames);
  return draft.done(typeof title === "string" ? { key: "command.fix", params: { title } } : title);
}
