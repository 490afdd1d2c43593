import { useMemo, useState } from "react";

import { Button, EmptyState, Toggle } from "../app/controls";
import type { Comment, NodeId } from "../document/types";
import { t } from "../i18n";
import { useDocument } from "../store/document";
import { useView } from "../store/view";
import { CommentList, Comments } from "./Comments";
import { useRead } from "./useRead";
import { asText, isMap } from "./write";
import "./inspector.css";

const PATH = [["x-escale", "canvas", "comments"]] as const;

/** Read the comments as the file has them; what is no comment is passed over, its index is not. */
export function readComments(value: unknown): Comment[] {
  if (!Array.isArray(value)) return [];
  return value.flatMap((entry: unknown, index) =>
    isMap(entry) && typeof entry.text === "string"
      ? [{ index, on: asText(entry.on) as NodeId | "", text: entry.text, by: asText(entry.by), at: asText(entry.at), resolved: entry.resolved === true }]
      : [],
  );
}

/** All comments of the drawing, by what they are on; those that are done are shown when asked for. */
export function CommentsPanel() {
  const read = useRead(PATH);
  const nodes = useDocument((state) => state.drawing.nodes);
  const readOnly = useDocument((state) => state.readOnly);
  const selection = useView((state) => state.selection);
  const [done, setDone] = useState(false);
  const comments = useMemo(() => readComments(read?.[0]?.value), [read]);
  const shown = comments.filter((comment) => done || !comment.resolved);
  const groups = useMemo(() => {
    const by = new Map<NodeId | "", Comment[]>([["", []]]);
    for (const comment of shown) by.set(comment.on, [...(by.get(comment.on) ?? []), comment]);
    return [...by];
  }, [shown]);
  // Who has selected one card means that one.
  const chosen = selection.length === 1 ? nodes.find(({ id }) => id === selection[0]) : undefined;
  const on = (id: NodeId | ""): Comment[] => groups.find(([group]) => group === id)?.[1] ?? [];
  return (
    <div className="d-inspector">
      {comments.some((comment) => comment.resolved) ? <Toggle label={t("inspector.show_resolved")} checked={done} onChange={setDone} /> : null}
      {shown.length === 0 ? <EmptyState icon="message" title={t("inspector.no_comments")}>{t("inspector.no_comments_text")}</EmptyState> : null}
      {chosen ? (
        <section className="d-comment-group" aria-label={t("inspector.on_card", { name: chosen.name })}>
          <h3 className="break">{t("inspector.on_card", { name: chosen.name })}</h3>
          <Comments key={chosen.id} on={chosen.id} comments={on(chosen.id)} />
        </section>
      ) : null}
      {groups.filter(([on]) => on !== "" && on !== chosen?.id).map(([on, list]) => {
        const node = nodes.find((each) => each.id === on);
        return (
          <section key={on} className="d-comment-group" aria-label={node?.name ?? on}>
            {node ? (
              <Button small tone="plain" icon="map-pin" onClick={() => useView.getState().show(node.id)}>{node.name}</Button>
            ) : (
              <p className="d-hint">{t("inspector.gone", { name: on })}</p>
            )}
            <CommentList comments={list} />
          </section>
        );
      })}
      <section className="d-comment-group" aria-label={t("inspector.on_drawing")}>
        <h3>{t("inspector.on_drawing")}</h3>
        {chosen ? <CommentList comments={on("")} /> : <Comments on="" comments={on("")} />}
        {chosen && !readOnly ? <p className="d-hint">{t("inspector.on_drawing_hint")}</p> : null}
      </section>
    </div>
  );
}
