import { Handle, NodeResizer, Position, type NodeProps } from "@xyflow/react";
import { memo, useMemo } from "react";

import type { MachineNode, RegionNode } from "../../document/types";
import { t, number } from "../../i18n";
import { HEAD, PAD } from "../../layout/geometry";
import { useDocument } from "../../store/document";
import { resized, toggleCollapsed } from "../actions";
import { Glyph } from "../Glyph";
import type { GroupNode, TileNode } from "../scene";
import { useCanvas } from "../state";
import { fullness, type Usage } from "../usage";
import { titleOf } from "../words";
import { ChangeBand, LiveMark, ProblemMark, useChange } from "./marks";
import { Summary } from "./Summary";

/** Below this a head has no room for the bar beside name and sizes. */
const NARROW = 420;

/** A machine, pool or region: a frame with a head, or from afar one picture of all that is in it. */
export const Group = memo(function Group({ data, selected }: NodeProps<GroupNode>) {
  const { node, usage, summary, level } = data;
  const { className, band } = useChange(node.id);
  const target = useCanvas((canvas) => canvas.dropTarget === node.id);
  const readOnly = useDocument((state) => state.readOnly);
  const flavour = useCanvas((canvas) => (node.kind === "region" ? canvas.flavours[node.cloud] ?? "" : ""));
  const box = useCanvas((canvas) => canvas.geometry.boxes.get(node.id));
  const least = useLeast(node);
  return (
    <div
      className={`d-group d-group-${node.kind} ${className} ${target ? "d-drop" : ""} d-level-${level} ${node.collapsed ? "d-folded" : ""} ${box && box.w < NARROW ? "d-narrow" : ""}`}
      data-cloud={flavour || undefined}
    >
      <div className="d-group-head" title={target ? t("canvas.drop_here") : undefined}>
        {level === 2 ? <Fold node={node} readOnly={readOnly} /> : null}
        <Glyph name={node.kind === "machine" && node.count > 1 ? "cluster" : node.kind} size={level === 2 ? 16 : level === 1 ? 34 : 110} />
        <b title={titleOf(node)}>{titleOf(node)}</b>
        {level === 2 ? <Facts node={node} usage={usage} /> : null}
        <LiveMark id={node.id} />
        <ProblemMark id={node.id} />
        {level === 2 && usage ? <Meter usage={usage} /> : null}
      </div>
      {summary && box ? <Summary members={summary} origin={box} level={level} /> : null}
      {level === 2 ? <ChangeBand band={band} /> : null}
      {selected && !readOnly && level === 2 && !node.collapsed ? (
        <NodeResizer
          minWidth={least.w} minHeight={least.h} lineClassName="d-resize-line" handleClassName="d-resize-handle nokey"
          onResizeEnd={(_, to) => resized(node.id, to)}
        />
      ) : null}
    </div>
  );
});

function Fold({ node, readOnly }: { node: MachineNode | RegionNode; readOnly: boolean }) {
  if (readOnly) return null;
  const label = t(node.collapsed ? "canvas.unfold" : "canvas.fold", { name: titleOf(node) });
  return (
    <button
      type="button" className="d-fold nodrag nopan nokey" aria-expanded={!node.collapsed} aria-label={label} title={label}
      onClick={(event) => {
        event.stopPropagation();
        void toggleCollapsed(node.id, !node.collapsed);
      }}
      onDoubleClick={(event) => event.stopPropagation()}
    >
      <Glyph name={node.collapsed ? "unfold" : "fold"} />
    </button>
  );
}

function Facts({ node, usage }: { node: MachineNode | RegionNode; usage: Usage | null }) {
  const parts: string[] = [];
  if (node.kind === "region") {
    if (node.cloud !== "" && node.cloud !== titleOf(node)) parts.push(node.cloud);
  } else {
    if (node.count > 1) parts.push(`×${node.count}`);
    if (node.cpus !== "") parts.push(t("canvas.cpus", { cpus: node.cpus }));
    if (node.memory !== "") parts.push(node.memory);
    if (node.plain && node.template !== "") parts.push(node.template);
  }
  if (node.collapsed && usage) parts.push(t("canvas.services", { count: usage.services }));
  return <span className="d-group-facts">{parts.join(" · ")}</span>;
}

function Meter({ usage }: { usage: Usage }) {
  const full = fullness(usage);
  if (full === null) return null;
  const percent = Math.round(full * 100);
  const words = t("canvas.used", {
    percent, cpus: number(usage.cpus, 2), cpusOf: usage.cpusOf === null ? "–" : number(usage.cpusOf, 2),
    memory: number(usage.memory / 1024, 1), memoryOf: usage.memoryOf === null ? "–" : number(usage.memoryOf / 1024, 1),
  });
  return (
    <span className={`d-meter ${full > 1 ? "d-over" : full > 0.85 ? "d-high" : ""}`} title={words}>
      {full > 1 ? <Glyph name="warning" size={13} /> : null}
      <i role="img" aria-label={words}><span style={{ width: `${Math.min(100, percent)}%` }} /></i>
      {percent} %
    </span>
  );
}

/** The smallest size that still holds what is in the group. */
function useLeast(node: MachineNode | RegionNode): { w: number; h: number } {
  const geometry = useCanvas((canvas) => canvas.geometry);
  return useMemo(() => {
    let w = 204;
    let h = HEAD + PAD;
    for (const id of geometry.children.get(node.id) ?? []) {
      const box = geometry.boxes.get(id);
      if (!box) continue;
      w = Math.max(w, box.x + box.w + PAD);
      h = Math.max(h, box.y + box.h + PAD);
    }
    return { w, h };
  }, [geometry, node.id]);
}

/** What stands in the open within one part of the canvas, as one picture. */
export const Tile = memo(function Tile({ data }: NodeProps<TileNode>) {
  const origin = useMemo(() => ({ ax: data.origin.x, ay: data.origin.y, w: data.origin.w, h: data.origin.h }), [data.origin]);
  return <Summary members={data.members} origin={origin} level={data.level} />;
});

export const Outside = memo(function Outside() {
  return (
    <div className="d-outside">
      <Glyph name="outside" size={28} />
      <span>{t("canvas.outside")}</span>
      {/* React Flow measures what is on the page, and joins edges to nothing else. */}
      <Handle type="source" position={Position.Right} className="d-fixed" isConnectable={false} />
    </div>
  );
});
