import { yaml } from "@codemirror/lang-yaml";
import { MergeView, unifiedMergeView } from "@codemirror/merge";
import { EditorState } from "@codemirror/state";
import { EditorView, lineNumbers } from "@codemirror/view";
import { useEffect, useRef } from "react";

import { nonce, theme } from "../editor/theme";
import { phrases } from "../editor/state";

interface Props {
  before: string;
  after: string;
  /** Side by side, or one text with both. */
  beside: boolean;
  labels: [string, string];
}

/** Show two texts with what differs; long stretches that are equal are folded away. */
export function TextDiff({ before, after, beside, labels }: Props) {
  const host = useRef<HTMLDivElement>(null);
  useEffect(() => {
    const parent = host.current;
    if (!parent) return;
    const look = (label: string) => [
      nonce(), theme, phrases(), lineNumbers(), yaml(), EditorState.readOnly.of(true), EditorView.lineWrapping,
      EditorView.contentAttributes.of({ tabindex: "0", "aria-label": label }),
    ];
    const collapseUnchanged = { margin: 3, minSize: 6 };
    if (beside) {
      const view = new MergeView({
        parent, collapseUnchanged, gutter: true,
        a: { doc: before, extensions: look(labels[0]) },
        b: { doc: after, extensions: look(labels[1]) },
      });
      return () => view.destroy();
    }
    const view = new EditorView({
      parent, doc: after,
      extensions: [look(labels[1]), unifiedMergeView({ original: before, mergeControls: false, collapseUnchanged })],
    });
    return () => view.destroy();
  }, [before, after, beside, labels[0], labels[1]]);
  return <div ref={host} className="d-cm-diff" />;
}
