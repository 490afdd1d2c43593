import { memo, useMemo } from "react";

import type { DrawingNode, NodeId } from "../../document/types";
import { isGroupId, type Geometry } from "../../layout/geometry";
import { usePaint, type DiffChange, type LiveState, type PlannedChange } from "../../store/paint";
import { GLYPHS, type GlyphName } from "../glyphs";
import { useCanvas } from "../state";
import { DIFF, LIVE, PLAN, worst } from "./marks";

/** Names are drawn in summaries only while a person can make use of them (and the window of drawing them). */
const NAMED_UP_TO = 400;

/** All services of a unit as one picture: one path per hue, however many there are. */
export const Summary = memo(function Summary({ members, origin, level }: {
  members: readonly NodeId[];
  origin: { ax: number; ay: number; w: number; h: number };
  level: number;
}) {
  const geometry = useCanvas((canvas) => canvas.geometry);
  const nodes = useCanvas((canvas) => canvas.nodesById);
  const paths = useMemo(() => pathsOf(members, geometry, nodes, origin), [members, geometry, nodes, origin]);
  const named = level === 1 && geometry.boxes.size <= NAMED_UP_TO;
  return (
    <svg className="d-summary" width={origin.w} height={origin.h} viewBox={`0 0 ${origin.w} ${origin.h}`} aria-hidden="true">
      {paths.map(([hue, d]) => <path key={hue} className={`d-fill-${hue}`} d={d} />)}
      {named ? members.map((id) => <Name key={id} id={id} geometry={geometry} origin={origin} />) : null}
      <Marks members={members} geometry={geometry} origin={origin} level={level} />
    </svg>
  );
});

function pathsOf(
  members: readonly NodeId[], geometry: Geometry, nodes: ReadonlyMap<NodeId, DrawingNode>, origin: { ax: number; ay: number },
): [string, string][] {
  const paths = new Map<string, string>();
  for (const id of members) {
    const box = geometry.boxes.get(id);
    const node = nodes.get(id);
    if (!box || !node) continue;
    const hue = node.kind === "service" ? node.icon : node.kind;
    const d = `M${box.ax - origin.ax} ${box.ay - origin.ay}h${box.w}v${box.h}h${-box.w}z`;
    paths.set(hue, (paths.get(hue) ?? "") + d);
  }
  // Machines lie under their services.
  return [...paths].sort(([a], [b]) => Number(b === "machine") - Number(a === "machine"));
}

function Name({ id, geometry, origin }: { id: NodeId; geometry: Geometry; origin: { ax: number; ay: number } }) {
  const box = geometry.boxes.get(id);
  if (!box || isGroupId(id)) return null;
  const name = id.slice(id.indexOf(":") + 1);
  const card = box.h > 60;
  const most = card ? 9 : 12;
  return (
    <text
      className={card ? "d-summary-name" : "d-summary-small"} x={box.ax - origin.ax + box.w / 2} y={box.ay - origin.ay + box.h / 2}
    >
      {name.length > most ? `${name.slice(0, most - 1)}…` : name}
    </text>
  );
}

/** The reach of a mark from its middle: seen from afar, but no larger than a corner of the card. */
const REACH: Record<number, number> = { 1: 18, 0: 34 };

/**
 * Triangles and octagons where something is wrong or has failed, and in the middle distance what is planned or how it
 * runs. Notes that ask for nothing are for those who stand near.
 */
function Marks({ members, geometry, origin, level }: {
  members: readonly NodeId[]; geometry: Geometry; origin: { ax: number; ay: number }; level: number;
}) {
  const problems = usePaint((paint) => paint.problems);
  const change = usePaint((paint) => (paint.mode === "plan" ? paint.plan : null));
  const diff = usePaint((paint) => (paint.mode === "diff" ? paint.diff : null));
  // A text, so that a tick of one card draws again only the summary that it is in.
  const lives = usePaint((paint) => (paint.mode === "live" ? members.map((id) => paint.live[id]?.state ?? "").join() : ""));
  const live = useMemo(() => (lives === "" ? [] : lives.split(",")), [lives]);
  const s = REACH[level] ?? 18;
  return (
    <>
      {members.map((id, index) => {
        const box = geometry.boxes.get(id);
        if (!box || isGroupId(id)) return null;
        const planned = change?.[id]?.change;
        const painted = planned === "keep" ? undefined : planned ?? diff?.[id];
        const state = live[index] as LiveState | "" | undefined;
        const down = state === "failed" || state === "missing";
        const found = problems[id]?.length ? worst(problems[id]) : "info";
        const severity = down && level === 0 ? "error" : found === "info" ? null : found;
        const badge = level === 0 ? null : badgeOf(planned, diff?.[id], state || undefined);
        if (!painted && !severity && !badge) return null;
        const x = box.ax - origin.ax;
        const y = box.ay - origin.ay;
        const shape = severity === "error"
          ? `M${-s / 2} ${-s}h${s}l${s / 2} ${s / 2}v${s}l${-s / 2} ${s / 2}h${-s}l${-s / 2} ${-s / 2}v${-s}z`
          : `M0 ${-s}L${s} ${s}H${-s}z`;
        return (
          <g key={id}>
            {painted ? <rect className={`d-edging d-edging-${painted}`} x={x - 8} y={y - 8} width={box.w + 16} height={box.h + 16} /> : null}
            {severity ? <path className={`d-shape d-shape-${severity}`} d={shape} transform={`translate(${x + box.w - 8} ${y + 8})`} /> : null}
            {badge ? (
              <g className={`d-badge d-badge-${badge.tone}`} transform={`translate(${x + 8} ${y + 8})`}>
                <circle r={22} />
                <path d={GLYPHS[badge.glyph]} transform="translate(-15 -15) scale(1.25)" />
              </g>
            ) : null}
          </g>
        );
      })}
    </>
  );
}

const CHANGE_TONE = {
  create: "good", added: "good", update: "warning", changed: "warning", replace: "busy", delete: "error", removed: "error",
} as const;

/** Return what the badge of a card shows: the change, else the state; null when neither is painted. */
function badgeOf(
  planned: PlannedChange | undefined, differs: DiffChange | undefined, state: LiveState | undefined,
): { glyph: GlyphName; tone: string } | null {
  if (planned && planned !== "keep") return { glyph: PLAN[planned], tone: CHANGE_TONE[planned] };
  if (differs) return { glyph: DIFF[differs], tone: CHANGE_TONE[differs] };
  return state ? LIVE[state] : null;
}
