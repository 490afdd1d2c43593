/**
 * The words that every part of the designer shares. The truth is the text of a Compose file; a `Drawing` is derived
 * from it and never edited: every gesture is a `Command`, which becomes a few `TextEdit`s.
 */

export type Path = readonly (string | number)[];

/** What can be drawn. A machine with `count` is a pool ("cluster"); a region is a part that goes to one cloud. */
export type Kind = "service" | "volume" | "network" | "config" | "secret" | "machine" | "region";
export const KINDS: readonly Kind[] = ["service", "volume", "network", "config", "secret", "machine", "region"];

/** `service:web`, `machine:front`, … unique within a drawing. */
export type NodeId = `${Kind}:${string}`;

/** Offsets are UTF-16 code units of the text, as CodeMirror counts them. */
export interface Span {
  from: number;
  to: number;
}

export interface TextEdit extends Span {
  insert: string;
}

/** A text of the catalogue (src/i18n) with its parameters; shown by `t(message)`. */
export interface Message {
  key: string;
  params?: Record<string, string | number>;
}

export type Severity = "error" | "warning" | "info";

/** Something that is wrong, found by us, by the server, or by the target's ledger; `node` is where it is shown. */
export interface Problem {
  severity: Severity;
  code: string;
  /** Words of the server, or a message of our catalogue. */
  text: string | Message;
  hint?: string;
  path: Path;
  span?: Span;
  node?: NodeId;
  source: "syntax" | "drawing" | "server" | "ledger" | "plan";
  fixes?: Fix[];
}

/** A mend that one click makes. `rename` renames the last key of the path. */
export interface Fix {
  title: string | Message;
  edits: { path: Path; op: "set" | "delete" | "rename"; value?: unknown }[];
}

export type Point = readonly [x: number, y: number];

export interface Port {
  published: string; // "8080", "8000-8010" or "" when the engine chooses
  target: string;
  protocol: string; // "tcp" | "udp"
}

/** What all kinds of nodes have. Positions are relative to the parent; null: not placed by hand. */
interface NodeBase {
  id: NodeId;
  name: string;
  /** Where its body stands: ["services", "web"]. */
  path: Path;
  /** The key and the value in the text, for going there. */
  span: Span;
  parent: NodeId | null;
  at: Point | null;
  size: Point | null;
  comments: Comment[];
}

export interface ServiceNode extends NodeBase {
  kind: "service";
  image: string; // "" when it only says how to build
  build: boolean;
  icon: IconName;
  replicas: number;
  cpus: string; // as written, "" when nothing is said
  memory: string;
  ports: Port[];
  health: "none" | "checked" | "disabled";
  profiles: string[];
  restart: string;
  volumes: number;
  /** The cloud that it names (`x-escale.place`); absent when it names none. */
  place?: string;
}

export interface VolumeNode extends NodeBase {
  kind: "volume";
  capacity: string; // x-escale size, "" when nothing is said
  external: boolean;
}

export interface NetworkNode extends NodeBase {
  kind: "network";
  external: boolean;
  internal: boolean;
  /** True for the `default` network that the file does not spell out. */
  implicit: boolean;
}

export interface FileNode extends NodeBase {
  kind: "config" | "secret";
  source: string; // file, environment, content, external: what it says
}

export interface MachineNode extends NodeBase {
  kind: "machine";
  template: string;
  cluster: string;
  cpus: string;
  memory: string;
  count: number; // > 1: a pool
  plain: boolean; // no service stands on it
  place?: string; // as a service's
  collapsed: boolean;
}

export interface RegionNode extends NodeBase {
  kind: "region";
  cloud: string; // name of the cloud that it goes to by default, "" when nothing is said
  title: string;
  collapsed: boolean;
}

export type DrawingNode = ServiceNode | VolumeNode | NetworkNode | FileNode | MachineNode | RegionNode;

export type IconName = "web" | "api" | "db" | "cache" | "queue" | "worker" | "monitor" | "search" | "storage" | "box";

export type EdgeKind = "depends_on" | "network" | "volume" | "config" | "secret" | "link";

export interface DrawingEdge {
  /** `depends_on:web>db`, `network:web>back`, `volume:db>data`, … */
  id: string;
  kind: EdgeKind;
  source: NodeId; // always a service
  target: NodeId;
  /** depends_on: the condition; volume: the path in the container; network: aliases. */
  label: string;
  condition?: "service_started" | "service_healthy" | "service_completed_successfully";
  /** Where it stands in the text: the list item or map entry. */
  path: Path;
  span: Span;
}

export interface Comment {
  index: number; // in x-escale.canvas.comments
  on: NodeId | "";
  text: string;
  by: string;
  at: string;
  resolved: boolean;
}

export interface Drawing {
  name: string; // the file's own `name:`, "" when it has none
  nodes: DrawingNode[];
  edges: DrawingEdge[];
  /** Services that publish ports, for the edge from outside. */
  published: { service: NodeId; port: Port }[];
  problems: Problem[];
  lines: number;
  /** The clouds that it names, the main one first; absent when a plan needs one to be chosen. */
  clouds?: string[];
}

/** The answer of `derive`: either a drawing, or where the text is broken (then the canvas keeps the last good one). */
export type Derived = { ok: true; drawing: Drawing } | { ok: false; problems: Problem[] };

/** Gestures as data. What they do to the text is in commands/. */
export type Command =
  /** Cards were moved, and maybe dropped into another machine or region (`parent` given: null means out of all). */
  | { do: "place"; moves: { id: NodeId; at: Point; size?: Point; parent?: NodeId | null }[] }
  /** `value` is plain data, written in block style; `name` is made unique. */
  | { do: "add"; kind: Kind; name: string; value?: unknown; parent?: NodeId | null; at?: Point }
  | { do: "remove"; nodes: NodeId[]; edges: string[] }
  | { do: "rename"; id: NodeId; to: string }
  /** `on`: a mount path for volumes, configs and secrets; a condition for depends_on. */
  | { do: "connect"; kind: EdgeKind; source: NodeId; target: NodeId; on?: string }
  | { do: "set"; path: Path; value: unknown } // undefined deletes the key
  | { do: "set_many"; changes: { path: Path; value: unknown }[]; label?: Message }
  | { do: "set_yaml"; path: Path; yaml: string } // the body of one node, edited in place
  | { do: "fix"; fix: Fix }
  | { do: "paste"; yaml: string; parent?: NodeId | null; at?: Point; label?: Message } // `label`: what it is called instead
  | { do: "duplicate"; nodes: NodeId[] }
  /** `places`: where members and regions are drawn on the canvas, so that the group appears around its members. */
  | { do: "group"; nodes: NodeId[]; kind: "machine" | "region"; name: string; places?: Readonly<Record<NodeId, Point>> }
  | { do: "collapse"; id: NodeId; collapsed: boolean }
  | { do: "unplace"; nodes: NodeId[] | "all" } // forget positions: auto-layout decides again
  | { do: "comment"; on: NodeId | ""; text: string; by: string; at: string }
  | { do: "comment_edit"; index: number; text?: string; resolved?: boolean; remove?: boolean }
  | { do: "replace"; text: string; label: Message }; // restore, import, merge

export type Applied =
  | { ok: true; edits: TextEdit[]; label: Message; created: NodeId[] }
  /** Nothing was changed; the message says why and what to do. */
  | { ok: false; refused: Message };

/** One step of the one history that canvas and editor share. */
export interface Step {
  label: Message;
  edits: TextEdit[]; // in the text before, ascending, not overlapping
  inverse: TextEdit[]; // in the text after
  /** Typing that goes on within a second at the same place joins the step before. */
  typing: boolean;
  at: number; // ms
}

/** What removing would take along, shown before it happens. */
export interface Consequence {
  message: Message;
  nodes: NodeId[];
  edges: string[];
}

export interface ChangedNode {
  id: NodeId;
  change: "added" | "removed" | "changed";
  /** Paths below the node that differ. */
  paths: Path[];
}

export interface DrawingDiff {
  nodes: ChangedNode[];
  edges: { id: string; change: "added" | "removed" }[];
}

/** A three-way merge by lines; `conflicts` is empty when it went by itself. */
export interface Merge {
  /** The merged text with mine taken where both changed, to be corrected by choices. */
  text: string;
  conflicts: { base: string; mine: string; theirs: string; line: number }[];
  resolve: (choices: ("mine" | "theirs" | "both")[]) => string;
}
