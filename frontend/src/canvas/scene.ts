/** From drawing, places and detail to what React Flow is given, with the same objects wherever nothing has changed. */
import { Position, type Edge, type Node, type NodeHandle } from "@xyflow/react";

import type {
  Drawing, DrawingEdge, DrawingNode, MachineNode, NodeId, Problem, RegionNode, ServiceNode,
} from "../document/types";
import { isGroup, shownAs, type Geometry, type Rect } from "../layout/geometry";
import { hiddenKind, OUTSIDE, outsideOf, type Layers } from "../layout/outside";
import { seenAt, type Override } from "./state";
import { standsFor, type Detail, type Plan } from "./units";
import type { Usage } from "./usage";
import { edgeLabel, edgeWords, nodeWords, notesOf } from "./words";

export type CardNode = Node<{ node: ServiceNode }, "card">;
/** `note`: what its only edge says; what hangs under a card has no room for words on the edge. */
export type SmallNode = Node<{ node: Exclude<DrawingNode, ServiceNode | MachineNode | RegionNode>; note: string }, "small">;
export type GroupNode = Node<
  { node: MachineNode | RegionNode; usage: Usage | null; summary: readonly NodeId[] | null; level: number }, "frame"
>;
export type TileNode = Node<{ members: readonly NodeId[]; origin: Rect; level: number }, "tile">;
export type OutsideNode = Node<{ count: number }, "outside">;
export type CanvasNode = CardNode | SmallNode | GroupNode | TileNode | OutsideNode;
export type CanvasEdge = Edge<{ edge: DrawingEdge | null; label: string }, "flow">;

/** Edges whose ends are not both on the page as cards, joined by what stands for them. */
export interface Bundle {
  from: string;
  to: string;
  count: number;
  /** Where it begins, when that is no node: the mark of the outside. */
  begins?: Rect;
}

export interface Scene {
  nodes: CanvasNode[];
  edges: CanvasEdge[];
  bundles: Bundle[];
}

export interface SceneInput {
  drawing: Drawing;
  byId: ReadonlyMap<NodeId, DrawingNode>;
  geometry: Geometry;
  plan: Plan;
  detail: Detail;
  layers: Layers;
  selection: ReadonlySet<NodeId>;
  selectedEdges: ReadonlySet<string>;
  overrides: ReadonlyMap<NodeId, Override>;
  problems: Readonly<Record<NodeId, Problem[]>>;
  usage: ReadonlyMap<NodeId, Usage>;
  readOnly: boolean;
  /** Changes when the words do (the language is there). */
  words: number;
}

/** Published services up to this many are joined to one mark for the outside; more would be a thicket. */
const OUTSIDE_MOST = 16;
/** Summaries of the middle distance show where each card stands: up to this many edges are drawn from card to card. */
const LINES_MOST = 500;
const Z = { region: 0, machine: 1, edge: 3, leaf: 4, selected: 5 };

/** Return a builder that remembers what it gave: React Flow passes over objects that it has seen. */
export function sceneBuilder(): (input: SceneInput) => Scene {
  let nodes = new Map<string, { key: string; basis: unknown; node: CanvasNode }>();
  let edges = new Map<string, { key: string; basis: unknown; edge: CanvasEdge }>();

  return (input) => {
    const { drawing, geometry, plan, detail, layers } = input;
    const nextNodes = new Map<string, { key: string; basis: unknown; node: CanvasNode }>();
    const result: CanvasNode[] = [];
    const cards = new Set<NodeId>();
    const notes = notesOf(drawing);

    const keep = (id: string, key: string, basis: unknown, make: () => CanvasNode): void => {
      const old = nodes.get(id);
      const entry = old && old.key === key && old.basis === basis ? old : { key, basis, node: make() };
      nextNodes.set(id, entry);
      result.push(entry.node);
    };

    const leaf = (id: NodeId, parent: NodeId | null): void => {
      const node = input.byId.get(id);
      const box = geometry.boxes.get(id);
      if (!node || !box || isGroup(node) || hiddenKind(node.kind, layers)) return;
      cards.add(id);
      const { x, y } = input.overrides.get(id) ?? box;
      const selected = input.selection.has(id);
      const problems = input.problems[id] ?? NONE;
      const note = notes.get(id) ?? "";
      const key = `${x},${y},${box.w},${box.h},${parent ?? ""},${selected},${problems.length},${input.readOnly},${input.words},${note}`;
      keep(id, key, node, () => ({
        id, type: node.kind === "service" ? "card" : "small", position: { x, y }, data: { node, note },
        ...frame(box, parent, selected ? Z.selected : Z.leaf, selected),
        ariaLabel: nodeWords(node, problems),
        draggable: !input.readOnly, connectable: !input.readOnly && node.kind === "service", handles: handlesOf(box),
        className: "nopan", // where nothing can be dragged, a press would pan and never be a click
      }) as CanvasNode);
    };

    const group = (id: NodeId, parent: NodeId | null, opened: boolean): void => {
      const node = input.byId.get(id);
      const box = geometry.boxes.get(id);
      const unit = plan.units.get(id);
      if (!node || !box || !unit || !isGroup(node)) return;
      const over = input.overrides.get(id);
      const { x, y } = over ?? box;
      const size = { w: over?.w ?? box.w, h: over?.h ?? box.h };
      const selected = input.selection.has(id);
      const problems = input.problems[id] ?? NONE;
      const usage = input.usage.get(id) ?? null;
      const summary = opened || node.collapsed ? null : unit.all;
      const level = opened && detail.level !== 1 ? 2 : detail.level;
      const key =
        `${x},${y},${size.w},${size.h},${parent ?? ""},${selected},${problems.length},${level},${summary !== null},` +
        `${usage?.cpus},${usage?.memory},${usage?.services},${input.readOnly},${input.words},${summary ? numberOf(node) : 0}`;
      keep(id, key, summary ? geometry : node, () => ({
        id, type: "frame", position: { x, y }, data: { node, usage, summary, level },
        ...frame(size, parent, (node.kind === "region" ? Z.region : Z.machine) + (selected ? 1 : 0), selected),
        ariaLabel: nodeWords(node, problems), dragHandle: ".d-group-head",
        draggable: !input.readOnly, connectable: false, handles: handlesOf(size), className: "nopan",
        style: { pointerEvents: "none" },
      }) as CanvasNode);
    };

    const walk = (ids: readonly string[], parent: NodeId | null): void => {
      for (const id of ids) {
        if (!detail.near.has(id)) continue;
        const unit = plan.units.get(id)!;
        const opened = detail.open.has(id);
        if (unit.tile) {
          if (opened) for (const member of unit.leaves) leaf(member, parent);
          else tile(id, unit.rect, unit.all, parent);
          continue;
        }
        group(id as NodeId, parent, opened);
        if (!opened) continue;
        walk(unit.units, id as NodeId);
        for (const member of unit.leaves) leaf(member, id as NodeId);
      }
    };

    const tile = (id: string, rect: Rect, all: readonly NodeId[], parent: NodeId | null): void => {
      const origin = parent === null ? null : geometry.boxes.get(parent);
      const members = all.filter((member) => !hiddenKind(input.byId.get(member)?.kind ?? "service", layers));
      if (members.length === 0) return;
      const x = rect.x - (origin?.ax ?? 0);
      const y = rect.y - (origin?.ay ?? 0);
      keep(id, `${x},${y},${rect.w},${rect.h},${parent ?? ""},${members.length},${detail.level}`, geometry, () => ({
        id, type: "tile", position: { x, y }, data: { members, origin: rect, level: detail.level },
        ...frame(rect, parent, Z.leaf, false), draggable: false, selectable: false, focusable: false,
        connectable: false, handles: handlesOf(rect), style: { pointerEvents: "none" },
      }) as CanvasNode);
    };

    walk(plan.roots, null);
    const reached = outside();
    nodes = nextNodes;

    const nextEdges = new Map<string, { key: string; basis: unknown; edge: CanvasEdge }>();
    const lines: CanvasEdge[] = [];
    const bundles = new Map<string, Bundle>();
    const keepEdge = (id: string, key: string, basis: unknown, make: () => CanvasEdge): void => {
      const old = edges.get(id);
      const entry = old && old.key === key && old.basis === basis ? old : { key, basis, edge: make() };
      nextEdges.set(id, entry);
      lines.push(entry.edge);
    };
    const single = detail.level === 1 && drawing.edges.length <= LINES_MOST;
    for (const edge of drawing.edges) {
      if (!layers[edge.kind]) continue;
      const source = shownAs(geometry, edge.source);
      const target = shownAs(geometry, edge.target);
      if (source === null || target === null || source === target) continue;
      if (cards.has(source) && cards.has(target)) {
        const selected = input.selectedEdges.has(edge.id);
        keepEdge(edge.id, `${selected},${input.words}`, edge, () => ({
          id: edge.id, type: "flow", source: edge.source, target: edge.target, selected, zIndex: Z.edge,
          className: `d-edge d-edge-${edge.kind}`, ariaLabel: edgeWords(edge), data: { edge, label: notes.get(edge.target) ? "" : labelOf(edge) },
        }));
        continue;
      }
      const [fromUnit, toUnit] = [standsFor(plan, detail, source), standsFor(plan, detail, target)];
      const [from, to] = single ? [source, target] : [fromUnit, toUnit];
      if (from === to) continue;
      if (!onPage(fromUnit) && !onPage(toUnit)) continue;
      const key = `${from}>${to}`;
      const known = bundles.get(key);
      if (known) known.count++;
      else bundles.set(key, { from, to, count: 1 });
    }
    for (const service of reached.services) {
      if (reached.at && !cards.has(service)) {
        bundles.set(`${OUTSIDE}>${service}`, { from: OUTSIDE, to: service, count: 1, begins: reached.at });
        continue;
      }
      const ports = drawing.published.filter((one) => one.service === service).map((one) => one.port);
      const label = [...new Set(ports.map((port) => port.published || port.target))].slice(0, 3).join(", ");
      keepEdge(`${OUTSIDE}>${service}`, label, OUTSIDE, () => ({
        id: `${OUTSIDE}>${service}`, type: "flow", source: OUTSIDE, target: service, zIndex: Z.edge,
        selectable: false, focusable: false, className: "d-edge d-edge-ports",
        // The card says its ports itself.
        ariaLabel: "", domAttributes: { "aria-hidden": true }, data: { edge: null, label },
      }));
    }
    edges = nextEdges;
    return { nodes: result, edges: lines, bundles: [...bundles.values()] };

    function onPage(id: string): boolean {
      if (detail.near.has(id)) return true;
      const around = plan.around.get(id as NodeId);
      const last = around?.[around.length - 1];
      return last !== undefined && detail.open.has(last);
    }

    /** Add the mark of the outside; returns the services that it leads to, and where it stands. */
    function outside(): { services: NodeId[]; at: Rect | null } {
      if (!layers.ports || detail.level < 1) return { services: [], at: null };
      const published = [...new Set(drawing.published.map((one) => one.service))];
      const services = published.filter((id) => cards.has(id) || (detail.level === 1 && geometry.boxes.has(id)));
      const rect = services.length > 0 && services.length <= OUTSIDE_MOST ? outsideOf(drawing, geometry) : null;
      if (!rect) return { services: [], at: null };
      keep(OUTSIDE, `${rect.x},${rect.y},${services.length},${input.words}`, OUTSIDE, () => ({
        id: OUTSIDE, type: "outside", position: { x: rect.x, y: rect.y }, data: { count: services.length },
        ...frame(rect, null, Z.leaf, false), draggable: false, selectable: false, focusable: false,
        connectable: false, handles: handlesOf(rect), style: { pointerEvents: "none" },
      }) as CanvasNode);
      return { services, at: rect };
    }
  };
}

const NONE: Problem[] = [];

const numbers = new WeakMap<object, number>();
let lastNumber = 0;

/** Return a number that stands for this very object. */
function numberOf(thing: object): number {
  let known = numbers.get(thing);
  if (known === undefined) numbers.set(thing, (known = ++lastNumber));
  return known;
}

function frame(size: { w: number; h: number }, parent: NodeId | null, zIndex: number, selected: boolean) {
  return {
    width: size.w, height: size.h, measured: { width: size.w, height: size.h }, zIndex, selected,
    ...(parent === null ? {} : { parentId: parent }),
  };
}

/** React Flow need not measure what it is told. */
function handlesOf({ w, h }: { w: number; h: number }): NodeHandle[] {
  return [
    { type: "target", position: Position.Left, x: 0, y: 0, width: w, height: h },
    { type: "source", position: Position.Right, x: w - 6, y: h / 2 - 6, width: 12, height: 12 },
  ];
}

function labelOf(edge: DrawingEdge): string {
  const words = edgeLabel(edge);
  return words.length > 26 ? `…${words.slice(-25)}` : words;
}

/** Where what stands for a node is seen now. */
export function rectOf(plan: Plan, id: string): Rect | null {
  const unit = plan.units.get(id);
  if (unit?.tile) return unit.rect;
  return seenAt(id as NodeId);
}
