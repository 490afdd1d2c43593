import { memo, useMemo } from "react";

import type { DrawingNode, NodeId } from "../../document/types";
import { isGroupId, type Geometry } from "../../layout/geometry";
import { usePaint } from "../../store/paint";
import { useCanvas } from "../state";
import { worst } from "./marks";

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
      <Marks members={members} geometry={geometry} origin={origin} />
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

/** Triangles and octagons where something is wrong or has failed, large enough to be seen from afar. */
function Marks({ members, geometry, origin }: {
  members: readonly NodeId[]; geometry: Geometry; origin: { ax: number; ay: number };
}) {
  const problems = usePaint((paint) => paint.problems);
  const change = usePaint((paint) => (paint.mode === "plan" ? paint.plan : null));
  const diff = usePaint((paint) => (paint.mode === "diff" ? paint.diff : null));
  const failed = usePaint((paint) =>
    paint.mode === "live" ? members.filter((id) => ["failed", "missing"].includes(paint.live[id]?.state ?? "")).join() : "",
  );
  const down = useMemo(() => new Set(failed.split(",")), [failed]);
  return (
    <>
      {members.map((id) => {
        const box = geometry.boxes.get(id);
        if (!box || isGroupId(id)) return null;
        const planned = change?.[id]?.change;
        const painted = planned === "keep" ? undefined : planned ?? diff?.[id];
        const mine = problems[id];
        if (!painted && !mine?.length && !down.has(id)) return null;
        const x = box.ax - origin.ax;
        const y = box.ay - origin.ay;
        const severity = down.has(id) ? "error" : mine?.length ? worst(mine) : null;
        const s = 44;
        const shape = severity === "error"
          ? `M${-s / 2} ${-s}h${s}l${s / 2} ${s / 2}v${s}l${-s / 2} ${s / 2}h${-s}l${-s / 2} ${-s / 2}v${-s}z`
          : `M0 ${-s}L${s} ${s}H${-s}z`;
        return (
          <g key={id}>
            {painted ? <rect className={`d-edging d-edging-${painted}`} x={x - 8} y={y - 8} width={box.w + 16} height={box.h + 16} /> : null}
            {severity ? <path className={`d-shape d-shape-${severity}`} d={shape} transform={`translate(${x + box.w - 20} ${y + 20})`} /> : null}
          </g>
        );
      })}
    </>
  );
}
