/** Folded groups and comments: the canvas's own notes. */
import type { Draft } from "../draft";
import { Refused } from "../locate";
import { splitId } from "../names";
import { Flow } from "../quoting";
import type { Applied, Command } from "../types";
import { CANVAS } from "./context";

export function collapse(draft: Draft, { id, collapsed }: Extract<Command, { do: "collapse" }>): Applied {
  const path = [...CANVAS, "collapsed"];
  const now = draft.value(path);
  const list = Array.isArray(now) ? now : [];
  const at = list.indexOf(id);
  if (collapsed && at < 0) draft.set([list.length > 0 ? { path: [...path, list.length], value: id } : { path, value: new Flow([id]) }]);
  if (!collapsed && at >= 0) draft.set([{ path: [...path, at], value: undefined }]);
  return draft.done({ key: collapsed ? "command.collapse" : "command.expand", params: { name: splitId(id).name } });
}

export function comment(draft: Draft, { on, text, by, at }: Extract<Command, { do: "comment" }>): Applied {
  if (text.trim() === "") throw new Refused({ key: "document.empty_comment" });
  const path = [...CANVAS, "comments"];
  const now = draft.value(path);
  draft.set([{ path: [...path, Array.isArray(now) ? now.length : 0], value: { on, text, by, at, resolved: false } }]);
  return draft.done({ key: "command.comment", params: { name: on === "" ? "" : splitId(on).name } });
}

export function commentEdit(draft: Draft, command: Extract<Command, { do: "comment_edit" }>): Applied {
  const path = [...CANVAS, "comments", command.index];
  if (draft.value(path) === undefined) throw new Refused({ key: "document.no_such_comment" });
  if (command.remove) {
    draft.set([{ path, value: undefined }]);
    return draft.done({ key: "command.comment_remove" });
  }
  draft.set([
    ...(command.text === undefined ? [] : [{ path: [...path, "text"], value: command.text }]),
    ...(command.resolved === undefined ? [] : [{ path: [...path, "resolved"], value: command.resolved }]),
  ]);
  return draft.done({ key: command.resolved === undefined ? "command.comment_edit" : command.resolved ? "command.comment_resolve" : "command.comment_reopen" });
}
