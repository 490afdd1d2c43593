import { Handle, Position, type NodeProps } from "@xyflow/react";
import { memo } from "react";

import type { NodeId, ServiceNode } from "../../document/types";
import { t } from "../../i18n";
import { Glyph } from "../Glyph";
import type { CardNode } from "../scene";
import { useCanvas } from "../state";
import { shortImage } from "../words";
import { ChangeBand, CommentMark, LiveMark, ProblemMark, useChange } from "./marks";

/** One service. It hears of its own problems, state and change only. */
export const Card = memo(function Card({ id, data, isConnectable }: NodeProps<CardNode>) {
  const node = data.node;
  const { className, band } = useChange(node.id);
  const target = useTarget(node.id);
  return (
    <div className={`d-card d-hue-${node.icon} ${className} ${target}`}>
      <div className="d-card-head">
        <Glyph name={node.icon} className="d-hued" />
        <b title={node.name}>{node.name}</b>
        <LiveMark id={node.id} />
        <ProblemMark id={node.id} />
      </div>
      <div className="d-card-image" title={node.image}>
        {node.image !== "" ? shortImage(node.image) : node.build ? t("canvas.built_here") : t("canvas.no_image")}
      </div>
      <Facts node={node} />
      <div className="d-chips">
        <span className="d-chip">
          <Glyph name={node.build ? "build" : "image"} size={12} />
          {t(node.build ? "canvas.format.build" : "canvas.format.image")}
        </span>
        <Ports node={node} />
        {node.health === "none" ? null : (
          <span className="d-chip" title={t(`canvas.health.${node.health}`)}>
            <Glyph name="health" size={12} />
            <span className="visually-hidden">{t(`canvas.health.${node.health}`)}</span>
          </span>
        )}
        <CommentMark count={node.comments.filter((comment) => !comment.resolved).length} />
      </div>
      <ChangeBand band={band} />
      <Handle type="target" position={Position.Left} className="d-target" isConnectable={isConnectable} isConnectableStart={false} />
      <Handle
        type="source" position={Position.Right} className="d-source nokey" isConnectable={isConnectable}
        isConnectableEnd={false} aria-hidden="true" data-from={id}
      />
    </div>
  );
});

function Facts({ node }: { node: ServiceNode }) {
  const size = [node.cpus === "" ? "" : t("canvas.cpus", { cpus: node.cpus }), node.memory, node.place].filter(Boolean).join(" · ");
  return (
    <div className="d-facts">
      <span className={node.replicas === 1 ? "d-quiet" : ""} title={t("canvas.replicas", { count: node.replicas })}>
        ×{node.replicas}
      </span>
      <span title={node.place}>{size}</span>
    </div>
  );
}

function Ports({ node }: { node: ServiceNode }) {
  if (node.ports.length === 0) return null;
  const said = node.ports.map(({ published, target }) => (published === "" ? target : `${published}→${target}`));
  return (
    <span className="d-chip d-ports" title={t("canvas.ports", { ports: said.join(", ") })}>
      <Glyph name="outside" size={12} />
      <span className="d-clip">{said[0]}</span>
      {said.length > 1 ? ` +${said.length - 1}` : ""}
    </span>
  );
}

/** While a connection is drawn: can it end here? */
export function useTarget(id: NodeId): string {
  return useCanvas((canvas) => {
    if (canvas.connecting === null) return "";
    if (canvas.connecting.source === id) return "d-from";
    return canvas.connecting.allowed.has(id) ? "d-may" : "d-may-not";
  });
}
