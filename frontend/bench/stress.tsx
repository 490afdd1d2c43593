/** React Flow's own stress page: 450 plain nodes in one chain, with minimap, controls and background. */
import "./bench.css";
import "@xyflow/react/dist/style.css";

import {
  addEdge, Background, Controls, MiniMap, ReactFlow, useEdgesState, useNodesState, type Connection, type Edge, type Node, type ReactFlowInstance,
} from "@xyflow/react";
import { useCallback } from "react";
import { createRoot } from "react-dom/client";

import { install } from "./probe";

const COLUMNS = 15;
const ROWS = 30;
const nodes: Node[] = [];
const edges: Edge[] = [];
for (let row = 0, number = 1; row < ROWS; row++)
  for (let column = 0; column < COLUMNS; column++, number++) {
    nodes.push({
      id: `n${number}`, style: { width: 50, fontSize: 11 }, data: { label: `Node ${number}` },
      position: { x: column * 100, y: row * 50 },
    });
    if (number > 1) edges.push({ id: `e${number}`, source: `n${number - 1}`, target: `n${number}` });
  }

function Stress() {
  const [shown, , onNodesChange] = useNodesState(nodes);
  const [joined, setJoined, onEdgesChange] = useEdgesState(edges);
  const onConnect = useCallback((connection: Connection) => setJoined((now) => addEdge(connection, now)), [setJoined]);
  return (
    <ReactFlow nodes={shown} edges={joined} onNodesChange={onNodesChange} onEdgesChange={onEdgesChange} onConnect={onConnect} onInit={(made) => (flow = made)} fitView minZoom={0}>
      <MiniMap />
      <Controls />
      <Background />
    </ReactFlow>
  );
}

createRoot(document.getElementById("root")!).render(<Stress />);
const view = () => {
  const { m41, m42, a } = new DOMMatrixReadOnly(getComputedStyle(document.querySelector(".react-flow__viewport")!).transform);
  return { x: m41, y: m42, zoom: a };
};
let flow: ReactFlowInstance | null = null;
install({
  ready: () => {
    const drawn = document.querySelectorAll(".react-flow__node");
    const last = drawn[drawn.length - 1];
    return drawn.length === ROWS * COLUMNS && last !== undefined && getComputedStyle(last).visibility === "visible" &&
      document.querySelectorAll(".react-flow__edge-path").length === edges.length && view().zoom !== 1;
  },
  view,
  grip: () => document.querySelector<HTMLElement>('[data-id="n23"]')!,
});
Object.assign(window.__bench, { near: () => void flow?.setCenter(700, 75, { zoom: 1 }) });
