import { Handle, Position, type NodeProps } from "@xyflow/react";
import { memo } from "react";

import { t } from "../../i18n";
import { Glyph } from "../Glyph";
import type { SmallNode } from "../scene";
import { kindWord } from "../words";
import { useTarget } from "./Card";
import { ChangeBand, ProblemMark, useChange } from "./marks";

/** A volume, network, config or secret. */
export const Small = memo(function Small({ data }: NodeProps<SmallNode>) {
  const { node, note } = data;
  const { className, band } = useChange(node.id);
  const target = useTarget(node.id);
  const parts = [kindWord(node.kind), ...(note === "" ? [] : [note])];
  if (node.kind === "volume" && node.capacity !== "") parts.push(node.capacity);
  if (node.kind === "network" && node.internal) parts.push(t("canvas.internal"));
  if ((node.kind === "volume" || node.kind === "network") && node.external) parts.push(t("canvas.external"));
  return (
    <div className={`d-small d-small-${node.kind} ${className} ${target}`}>
      <Glyph name={node.kind} />
      <div>
        <b title={node.name}>{node.name}</b>
        <span title={note || undefined}>{parts.join(" · ")}</span>
      </div>
      <ProblemMark id={node.id} />
      <ChangeBand band={band} />
      <Handle type="target" position={Position.Left} className="d-target" isConnectableStart={false} />
    </div>
  );
});
