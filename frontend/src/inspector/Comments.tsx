import { useState } from "react";

import { readBoot } from "../app/boot";
import { Button, IconButton } from "../app/controls";
import type { Command, Comment, NodeId } from "../document/types";
import { currentLanguage, t } from "../i18n";
import { useDocument } from "../store/document";
import { useView } from "../store/view";

async function run(command: Command): Promise<boolean> {
  const applied = await useDocument.getState().run(command);
  if (!applied.ok) useView.getState().say(applied.refused, "refused");
  return applied.ok;
}

/** Show the comments on a node (or on the drawing), and take a new one. */
export function Comments({ on, comments }: { on: NodeId | ""; comments: readonly Comment[] }) {
  const readOnly = useDocument((state) => state.readOnly);
  const [text, setText] = useState("");
  const add = async (): Promise<void> => {
    const said = text.trim();
    if (said === "") return;
    const at = `${new Date().toISOString().slice(0, 19)}Z`;
    if (await run({ do: "comment", on, text: said, by: readBoot()?.user ?? "", at })) setText("");
  };
  return (
    <div className="d-comments">
      <CommentList comments={comments} />
      {readOnly ? null : (
        <form
          className="d-comment-form"
          onSubmit={(event) => {
            event.preventDefault();
            void add();
          }}
        >
          <textarea
            className="textarea" rows={2} value={text} aria-label={t("inspector.new_comment")} placeholder={t("inspector.new_comment")}
            maxLength={10_000} onChange={(event) => setText(event.target.value)}
            onKeyDown={(event) => {
              if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey)) return;
              event.preventDefault();
              void add();
            }}
          />
          <Button small type="submit" disabled={text.trim() === ""}>{t("inspector.comment")}</Button>
        </form>
      )}
    </div>
  );
}

export function CommentList({ comments }: { comments: readonly Comment[] }) {
  const readOnly = useDocument((state) => state.readOnly);
  if (comments.length === 0) return null;
  return (
    <ul className="d-comment-list">
      {comments.map((comment) => (
        <li key={comment.index} className={comment.resolved ? "d-resolved" : ""}>
          <div className="d-comment-head">
            <strong className="clip">{comment.by || t("inspector.somebody")}</strong>
            {comment.at ? <time dateTime={comment.at} title={comment.at}>{dateOf(comment.at)}</time> : null}
            {comment.resolved ? <span className="tag">{t("inspector.resolved")}</span> : null}
            {readOnly ? null : (
              <span className="end row">
                <IconButton
                  small icon={comment.resolved ? "arrow-back-up" : "check"} label={t(comment.resolved ? "inspector.reopen" : "inspector.resolve")}
                  onClick={() => void run({ do: "comment_edit", index: comment.index, resolved: !comment.resolved })}
                />
                <IconButton
                  small icon="trash" label={t("inspector.delete_comment")}
                  onClick={() => void run({ do: "comment_edit", index: comment.index, remove: true })}
                />
              </span>
            )}
          </div>
          <p className="break">{comment.text}</p>
        </li>
      ))}
    </ul>
  );
}

function dateOf(at: string): string {
  const date = new Date(at);
  if (Number.isNaN(date.getTime())) return at;
  return new Intl.DateTimeFormat(currentLanguage(), { dateStyle: "medium", timeStyle: "short" }).format(date);
}
