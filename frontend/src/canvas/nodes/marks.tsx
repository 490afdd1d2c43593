import type { NodeId, Problem, Severity } from "../../document/types";
import { t } from "../../i18n";
import { usePaint, type DiffChange, type LiveState, type PlannedChange } from "../../store/paint";
import { Glyph } from "../Glyph";
import type { GlyphName } from "../glyphs";

const SEVERITY: Record<Severity, GlyphName> = { error: "error", warning: "warning", info: "info" };

export function worst(problems: readonly Problem[]): Severity {
  if (problems.some((problem) => problem.severity === "error")) return "error";
  return problems.some((problem) => problem.severity === "warning") ? "warning" : "info";
}

/** How many problems a node has; the shape says how bad, beside the colour. */
export function ProblemMark({ id }: { id: NodeId }) {
  const problems = usePaint((paint) => paint.problems[id]);
  if (!problems || problems.length === 0) return null;
  const severity = worst(problems);
  return (
    <span className={`d-mark d-mark-${severity}`} title={t("canvas.with_problems", { count: problems.length })}>
      <Glyph name={SEVERITY[severity]} size={14} />
      {problems.length}
    </span>
  );
}

export const LIVE: Record<LiveState, { glyph: GlyphName; tone: string }> = {
  pending: { glyph: "pending", tone: "quiet" }, working: { glyph: "busy", tone: "busy" },
  running: { glyph: "good", tone: "good" }, stopped: { glyph: "stopped", tone: "quiet" },
  failed: { glyph: "bad", tone: "error" }, missing: { glyph: "bad", tone: "error" },
  drifted: { glyph: "warning", tone: "warning" }, unknown: { glyph: "unknown", tone: "quiet" },
};

export function LiveMark({ id }: { id: NodeId }) {
  const live = usePaint((paint) => (paint.mode === "live" ? paint.live[id] : undefined));
  if (!live) return null;
  const { glyph, tone } = LIVE[live.state];
  return (
    <span className={`d-mark d-mark-${tone}`} title={live.message || t(`canvas.live.${live.state}`)}>
      <Glyph name={glyph} size={14} className={live.state === "working" ? "d-turn" : ""} />
      <span className="d-mark-word">{t(`canvas.live.${live.state}`)}</span>
      {live.percent === null ? "" : ` ${live.percent} %`}
    </span>
  );
}

export const PLAN: Record<PlannedChange, GlyphName> = {
  create: "create", update: "update", replace: "replace", delete: "delete", keep: "keep",
};
export const DIFF: Record<DiffChange, GlyphName> = { added: "create", changed: "update", removed: "delete" };

/** The class of what is painted over a node, and the band that says it in words. */
export function useChange(id: NodeId): { className: string; band: { glyph: GlyphName; text: string; title: string } | null } {
  const plan = usePaint((paint) => (paint.mode === "plan" ? paint.plan[id] : undefined));
  const diff = usePaint((paint) => (paint.mode === "diff" ? paint.diff[id] : undefined));
  if (plan && plan.change !== "keep")
    return {
      className: `d-change d-change-${plan.change}`,
      band: {
        glyph: PLAN[plan.change], title: plan.causes.join("\n"),
        text: t(plan.dataLoss ? `canvas.plan.${plan.change}_loss` : `canvas.plan.${plan.change}`),
      },
    };
  if (diff)
    return {
      className: `d-change d-change-${diff}`,
      band: { glyph: DIFF[diff], text: t(`canvas.diff.${diff}`), title: "" },
    };
  return { className: "", band: null };
}

export function ChangeBand({ band }: { band: { glyph: GlyphName; text: string; title: string } | null }) {
  return band ? (
    <span className="d-band" title={band.title || undefined}>
      <Glyph name={band.glyph} size={13} />
      {band.text}
    </span>
  ) : null;
}

export function CommentMark({ count }: { count: number }) {
  return count > 0 ? (
    <span className="d-chip" title={t("canvas.comments", { count })}>
      <Glyph name="comment" size={12} />
      {count}
    </span>
  ) : null;
}
