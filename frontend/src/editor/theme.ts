import { HighlightStyle, syntaxHighlighting } from "@codemirror/language";
import type { Extension } from "@codemirror/state";
import { EditorView } from "@codemirror/view";
import { tags } from "@lezer/highlight";

/** The portal's tokens know light and dark; the editor's own idea of dark is not used. */
const look = EditorView.theme({
  "&": { height: "100%", color: "var(--text-1)", backgroundColor: "var(--surface-1)", fontSize: "13px" },
  "&.cm-focused": { outline: "2px solid var(--focus)", outlineOffset: "-2px" },
  ".cm-scroller": { fontFamily: "var(--mono)", lineHeight: "20px", overflow: "auto" },
  ".cm-content": { caretColor: "var(--text-1)", padding: "8px 0" },
  ".cm-cursor, .cm-dropCursor": { borderLeftColor: "var(--text-1)", borderLeftWidth: "2px" },
  "&.cm-focused > .cm-scroller > .cm-selectionLayer .cm-selectionBackground, .cm-selectionBackground": { backgroundColor: "var(--surface-3)" },
  "&.cm-focused .cm-selectionBackground": { backgroundColor: "light-dark(#cddcfb, #2b3f6b) !important" },
  ".cm-gutters": { backgroundColor: "var(--surface-1)", color: "var(--text-3)", borderRight: "1px solid var(--line)" },
  ".cm-lineNumbers .cm-gutterElement": { fontVariantNumeric: "tabular-nums" },
  ".cm-activeLine": { backgroundColor: "color-mix(in srgb, var(--surface-2) 60%, transparent)" },
  ".cm-activeLineGutter": { backgroundColor: "var(--surface-2)", color: "var(--text-1)" },
  ".cm-foldGutter .cm-gutterElement": { cursor: "pointer", minWidth: "16px", textAlign: "center" },
  ".cm-foldPlaceholder": { backgroundColor: "var(--surface-2)", borderColor: "var(--line-strong)", color: "var(--text-2)" },
  ".cm-matchingBracket, &.cm-focused .cm-matchingBracket": { backgroundColor: "var(--accent-soft)", outline: "1px solid var(--accent)" },
  ".cm-searchMatch": { backgroundColor: "var(--warning-soft)", outline: "1px solid var(--warning-line)" },
  ".cm-searchMatch-selected": { backgroundColor: "var(--warning-line)" },
  ".cm-selectionMatch": { backgroundColor: "var(--surface-3)" },
  ".cm-line.d-cm-chosen": { boxShadow: "inset 3px 0 0 var(--accent)", backgroundColor: "color-mix(in srgb, var(--accent-soft) 45%, transparent)" },
  ".cm-panels": { backgroundColor: "var(--surface-2)", color: "var(--text-1)" },
  ".cm-panels-top": { borderBottom: "1px solid var(--line)" },
  ".cm-panel.cm-search": { padding: "8px 32px 8px 8px", fontFamily: "var(--font)" },
  ".cm-panel.cm-search label": { fontSize: "12px", display: "inline-flex", alignItems: "center", gap: "4px", minHeight: "24px" },
  ".cm-panel.cm-search [name=close]": { width: "28px", height: "28px", top: "4px", right: "4px" },
  ".cm-textfield": { backgroundColor: "var(--surface-1)", color: "var(--text-1)", border: "1px solid var(--control)", borderRadius: "var(--radius-s)", minHeight: "28px", fontSize: "13px" },
  ".cm-button": { backgroundColor: "var(--surface-1)", backgroundImage: "none", color: "var(--text-1)", border: "1px solid var(--line-strong)", borderRadius: "var(--radius-s)", minHeight: "28px", fontSize: "13px" },
  ".cm-button:active": { backgroundColor: "var(--surface-3)", backgroundImage: "none" },
  ".cm-tooltip": { backgroundColor: "var(--surface-1)", color: "var(--text-1)", border: "1px solid var(--line-strong)", borderRadius: "var(--radius)", boxShadow: "var(--shadow)", maxWidth: "min(420px, 90vw)", fontFamily: "var(--font)" },
  ".cm-tooltip.cm-tooltip-autocomplete > ul": { fontFamily: "var(--mono)", maxHeight: "16em" },
  ".cm-tooltip.cm-tooltip-autocomplete > ul > li": { padding: "4px 8px" },
  ".cm-tooltip-autocomplete ul li[aria-selected]": { backgroundColor: "var(--accent-fill)", color: "var(--on-accent)" },
  ".cm-tooltip.cm-completionInfo": { padding: "8px 12px", fontSize: "13px" },
  ".cm-diagnostic": { padding: "8px 12px", borderLeft: "4px solid var(--line-strong)", whiteSpace: "normal" },
  ".cm-diagnostic-error": { borderLeftColor: "var(--danger-mark)" },
  ".cm-diagnostic-warning": { borderLeftColor: "var(--warning-mark)" },
  ".cm-diagnostic-info": { borderLeftColor: "var(--accent)" },
  ".cm-diagnosticAction": { backgroundColor: "var(--accent-fill)", color: "var(--on-accent)", padding: "4px 10px", marginLeft: "0", marginRight: "8px", borderRadius: "var(--radius-s)", minHeight: "24px" },
  ".cm-diagnosticSource": { display: "none" },
  ".cm-lintRange": { backgroundImage: "none", textDecorationLine: "underline", textDecorationStyle: "wavy", textDecorationThickness: "1px", textUnderlineOffset: "3px" },
  ".cm-lintRange-error": { textDecorationColor: "var(--danger-mark)" },
  ".cm-lintRange-warning": { textDecorationColor: "var(--warning-mark)" },
  ".cm-lintRange-info": { textDecorationColor: "var(--accent)", textDecorationStyle: "dotted" },
  ".cm-lint-marker": { width: "14px", height: "14px" },
});

const colours = HighlightStyle.define([
  { tag: tags.comment, color: "var(--text-3)", fontStyle: "italic" },
  { tag: [tags.propertyName, tags.definition(tags.propertyName)], color: "var(--accent)" },
  { tag: [tags.string, tags.special(tags.string)], color: "var(--good)" },
  { tag: [tags.number, tags.bool, tags.null, tags.atom], color: "var(--busy)" },
  { tag: [tags.labelName, tags.typeName, tags.keyword, tags.meta], color: "var(--warning)" },
  { tag: [tags.separator, tags.punctuation, tags.bracket, tags.squareBracket], color: "var(--text-3)" },
]);

export const theme: Extension = [look, syntaxHighlighting(colours)];

/** Style elements need the page's nonce. */
export function nonce(): Extension {
  const found = typeof document === "undefined" ? null : document.querySelector<HTMLMetaElement>("meta[name=csp-nonce]");
  return EditorView.cspNonce.of(found?.nonce || found?.content || "");
}
