import "./editor.css";

import { setDiagnostics } from "@codemirror/lint";
import { EditorState } from "@codemirror/state";
import { EditorView, type ViewUpdate } from "@codemirror/view";
import { useEffect, useId, useRef } from "react";

import { nodeAt } from "./nodes";
import type { NodeId } from "../document/types";
import { t } from "../i18n";
import { useDocument } from "../store/document";
import { usePaint } from "../store/paint";
import { allOf } from "../store/problems";
import { useView } from "../store/view";
import { Bridge } from "./bridge";
import { diagnosticsOf } from "./diagnostics";
import { completion, editable, extensions, readOnly, setChosen } from "./state";

const CARET_MS = 150;
/** A wish that was there before the pane is only followed when it is new. */
let followed = 0;

/** The text of the drawing, in an editor that shares the document's history. */
export function YamlPane() {
  const host = useRef<HTMLDivElement>(null);
  const hint = useId();

  useEffect(() => {
    if (!host.current) return;
    const bridge = new Bridge();
    let caret: ReturnType<typeof setTimeout> | null = null;
    let helped = false;
    let picking = false; // the selection that the caret makes does not scroll the editor

    const follow = (update: ViewUpdate): void => {
      if (!update.selectionSet || !update.view.hasFocus) return;
      if (caret !== null) clearTimeout(caret);
      caret = setTimeout(() => {
        if (!update.view.hasFocus) return;
        const node = nodeAt(useDocument.getState(), bridge.breaks.toText(update.view.state.selection.main.head));
        const { selection, select } = useView.getState();
        if (node === null || (selection.length === 1 && selection[0] === node)) return;
        picking = true;
        select([node]);
        picking = false;
      }, CARET_MS);
    };

    const view = new EditorView({
      parent: host.current,
      state: EditorState.create({
        doc: bridge.text,
        extensions: [
          ...extensions({ readOnly: useDocument.getState().readOnly, hint }),
          bridge.sending,
          EditorView.updateListener.of(follow),
          EditorView.domEventHandlers({
            focus: () => {
              if (helped) return;
              helped = true; // the schema's words are only for those who write
              void import("./completion").then(({ completing }) => view.dispatch({ effects: completion.reconfigure(completing) }));
            },
          }),
        ],
      }),
    });
    const stops = [bridge.connect(view)];

    const chosen = (selection: readonly NodeId[]): { from: number; to: number }[] => {
      const { drawing, drawnText, text } = useDocument.getState();
      if (drawnText !== text) return [];
      const wanted = new Set(selection);
      return drawing.nodes
        .filter(({ id }) => wanted.has(id))
        .map(({ span }) => ({ from: bridge.breaks.toDoc(span.from), to: bridge.breaks.toDoc(span.to) }));
    };
    const markChosen = (scroll: boolean): void => {
      const spans = chosen(useView.getState().selection);
      const first = spans[0];
      const reveal = scroll && first !== undefined && !view.hasFocus;
      view.dispatch({ effects: [setChosen.of(spans), ...(reveal ? [EditorView.scrollIntoView(first.from, { y: "start", yMargin: 40 })] : [])] });
    };
    const goTo = (wish: NonNullable<ReturnType<typeof useView.getState>["goto"]>): void => {
      if (wish.n === followed) return;
      followed = wish.n;
      const at = Math.min(bridge.breaks.toDoc(wish.span.from), view.state.doc.length);
      const to = Math.min(bridge.breaks.toDoc(wish.span.to), view.state.doc.length);
      const line = view.state.doc.lineAt(at);
      view.dispatch({ selection: { anchor: at, head: Math.min(to, line.to) }, effects: EditorView.scrollIntoView(at, { y: "center" }) });
      if (wish.focus) view.focus();
    };

    let painting = 0;
    const paint = (): void => {
      cancelAnimationFrame(painting);
      painting = requestAnimationFrame(() => {
        view.dispatch(setDiagnostics(view.state, diagnosticsOf(allOf(usePaint.getState()), bridge.breaks, view.state.doc)));
      });
    };
    stops.push(
      useView.subscribe((now, before) => {
        if (now.selection !== before.selection) markChosen(!picking);
        if (now.goto !== before.goto && now.goto) goTo(now.goto);
      }),
      usePaint.subscribe((now, before) => {
        if (now.problems !== before.problems || now.loose !== before.loose) paint();
      }),
      useDocument.subscribe((now, before) => {
        if (now.readOnly !== before.readOnly) view.dispatch({ effects: editable.reconfigure(readOnly(now.readOnly)) });
        if (now.drawing !== before.drawing) markChosen(false);
      }),
    );
    paint();
    markChosen(true);
    const wish = useView.getState().goto;
    if (wish) goTo(wish);

    return () => {
      if (caret !== null) clearTimeout(caret);
      cancelAnimationFrame(painting);
      stops.forEach((stop) => stop());
      view.destroy();
    };
  }, [hint]);

  return (
    <div className="d-yaml-pane">
      <div ref={host} className="d-cm" />
      <p id={hint} className="visually-hidden">{t("editor.hint")}</p>
    </div>
  );
}
