import { describe, expect, it } from "vitest";

import { apply, applyEdits, bodyOf, copy, derive, invert, valueOf } from "../../src/document";
import type { Command, Drawing, NodeId, TextEdit } from "../../src/document";
import { changed } from "../../src/document/locate";
import { corpus, drawing, prove, random } from "./helpers";
import { nasty } from "./nasty";

type Dice = ReturnType<typeof random>;

const NAMES = ["web", "db", "new-one", "front", "data", "cache-2", "x.y", "Größe", "worker"];
const VALUES: unknown[] = ["text", "yes", "8080:80", 5, true, null, ["a", "b"], { a: 1, b: { c: "d" } }, "several\nlines\n", "", [], {}, "# no comment", "a: b", "*x"];
const PASTES = ["services:\n  web:\n    image: nginx\n    volumes: [data:/x]\nvolumes:\n  data:\n", "web:\n  image: redis\n", "image: postgres:17\nports: ['5432:5432']\n"];

/** A command that somebody might give on this drawing; now and then one that makes no sense. */
function anyCommand(dice: Dice, text: string, { nodes, edges }: Drawing): Command {
  const all = nodes.map((node) => node.id);
  const id: NodeId = all.length > 0 && dice.next() < 0.97 ? dice.pick(all) : "service:nobody";
  const other: NodeId = all.length > 0 ? dice.pick(all) : "volume:nothing";
  const services = all.filter((one) => one.startsWith("service:"));
  const service: NodeId = services.length > 0 ? dice.pick(services) : "service:nobody";
  const groups: (NodeId | null)[] = [null, ...all.filter((one) => /^(machine|region):/.test(one))];
  const at = [dice.int(500), dice.int(500)] as const;
  const body = ["services", service.slice(8)];
  const [kind] = id.split(":") as ["service"];
  switch (dice.int(17)) {
    case 0: return { do: "place", moves: [{ id, at, parent: dice.pick(groups) }, { id: other, at }] };
    case 1: return { do: "place", moves: [{ id, at, size: [100, 50] }] };
    case 2: return { do: "add", kind: dice.pick(["service", "volume", "network", "config", "secret", "machine", "region"] as const), name: dice.pick(NAMES), value: dice.pick([undefined, { image: "a:b" }, { labels: ["x"] }]), parent: dice.pick(groups), at };
    case 3: return { do: "remove", nodes: [id], edges: edges.length > 0 ? [dice.pick(edges).id] : [] };
    case 4: return { do: "remove", nodes: dice.next() < 0.3 ? [id, other] : [], edges: edges.length > 0 ? [dice.pick(edges).id, dice.pick(edges).id] : [] };
    case 5: return { do: "rename", id, to: dice.pick(NAMES) };
    case 6: return { do: "connect", kind: dice.pick(["depends_on", "volume", "network", "config", "secret", "link"] as const), source: service, target: other, on: dice.pick([undefined, "service_healthy", "/mnt"]) };
    case 7: return { do: "set", path: [...body, dice.pick(["image", "command", "labels", "environment", "ports", "x-foo"])], value: dice.pick(VALUES) };
    case 8: return { do: "set", path: [...body, dice.pick(["environment", "labels", "deploy", "healthcheck"]), dice.pick(["A", "B", "test", "replicas"])], value: dice.pick(VALUES) };
    case 9: return { do: "set_many", changes: [{ path: [...body, "image"], value: undefined }, { path: [...body, "restart"], value: dice.pick(VALUES) }, { path: ["name"], value: "n" }] };
    case 10: return { do: "set_yaml", path: body, yaml: dice.pick([bodyOf(text, body), "image: x\n# note\nports:\n  - '1:1'\n", "", "{image: y}"]) };
    case 11: return { do: "paste", yaml: dice.pick(PASTES), parent: dice.pick(groups), at };
    case 12: return { do: "duplicate", nodes: [id, other] };
    case 13: return { do: "group", nodes: [id, other, service], kind: dice.pick(["machine", "region"] as const), name: dice.pick(NAMES) };
    case 14: return { do: "collapse", id, collapsed: dice.next() < 0.6 };
    case 15: return dice.next() < 0.5 ? { do: "comment", on: id, text: dice.pick(["hm", "two\nlines"]), by: "alice", at: "2026-01-31T12:00:00Z" } : { do: "comment_edit", index: dice.int(3), ...(dice.next() < 0.5 ? { remove: true } : { text: "other", resolved: true }) };
    default: return dice.next() < 0.2 ? { do: "unplace", nodes: "all" } : { do: "unplace", nodes: [id, `${kind}:web`] };
  }
}

/** Prove that the file means what it meant, but for what the command is about. */
function meansOnly(command: Command, before: string, after: string): void {
  const [old, now] = [before, after].map((text) => (valueOf(text, []) ?? {}) as Record<string, unknown>) as [Record<string, unknown>, Record<string, unknown>];
  if (command.do === "set" && command.value !== undefined) {
    const build = valueOf(before, command.path.slice(0, -1));
    const wanted = changed(typeof build === "string" ? {} : old, command.path, command.value);
    expect(valueOf(after, command.path)).toEqual(command.value);
    // What stands in the body of an anchor is others', too.
    if (typeof build !== "string" && !before.includes("&")) expect(now).toEqual(wanted);
  } else if (["comment", "collapse", "unplace", "comment_edit"].includes(command.do) || (command.do === "place" && command.moves.every((move) => !move.parent && move.parent !== null))) {
    expect(withoutCanvas(now)).toEqual(withoutCanvas(old));
  } else if (command.do === "remove") {
    const [left, right] = [before, after].map(declared) as [Graph, Graph];
    expect(right.nodes).toEqual(left.nodes.filter((id) => !command.nodes.includes(id)));
    expect(left.edges).toEqual(expect.arrayContaining(right.edges));
    const cut = left.edges.filter((id) => !right.edges.includes(id)).map((id) => id.replace(/#\d+$/, ""));
    const names = command.nodes.map((id) => id.slice(id.indexOf(":") + 1));
    for (const id of cut) {
      const [source, target] = id.slice(id.indexOf(":") + 1).split(">") as [string, string];
      expect(names.includes(source) || names.includes(target) || command.edges.some((one) => one.replace(/#\d+$/, "") === id)).toBe(true);
    }
  } else if (command.do === "rename") {
    const [left, right] = [before, after].map(declared) as [Graph, Graph];
    const to = command.id.slice(0, command.id.indexOf(":") + 1) + command.to;
    expect(right.nodes.map(String).sort()).toEqual(left.nodes.map((id) => (id === command.id ? to : id)).sort());
    expect(right.edges).toHaveLength(left.edges.length);
  } else if (command.do === "connect") {
    const [left, right] = [before, after].map(declared) as [Graph, Graph];
    // Those who merge a service get what it gets.
    if (!before.includes("&")) expect(right.edges).toHaveLength(left.edges.length + 1);
    expect(right.nodes).toEqual(left.nodes);
  } else if (command.do === "add") {
    const sections = Object.keys(old).filter((key) => key !== "x-escale");
    for (const section of sections) {
      if (typeof old[section] === "object" && old[section] !== null) expect(now[section]).toMatchObject(old[section] as object);
      else if (old[section] !== null) expect(now[section]).toEqual(old[section]);
    }
  }
}

interface Graph {
  nodes: NodeId[];
  edges: string[];
}

/** What the file writes down: not the default network, nor what is used without being declared. */
function declared(text: string): Graph {
  const { nodes, edges } = drawing(text);
  return {
    nodes: nodes.filter((node) => valueOf(text, node.path) !== undefined).map((node) => node.id),
    edges: edges.filter((edge) => edge.path.length > 2).map((edge) => edge.id),
  };
}

function withoutCanvas(root: Record<string, unknown>): unknown {
  const { "x-escale": extension, ...rest } = root;
  const { canvas: _, ...others } = (extension ?? {}) as Record<string, unknown>;
  return { ...rest, "x-escale": others };
}

const files = [...corpus, ...Object.entries(nasty), ["empty", ""] as [string, string]];
const SEEDS = Number(process.env.SEEDS ?? 2);
const STEPS = 30;

describe.each(files)("random gestures on %s", (name, original) => {
  it.each([["LF"], ["CRLF"]])("always leave a file that parses, and undo to the byte (%s)", (ends) => {
    const start = ends === "CRLF" ? original.replace(/\r?\n/g, "\r\n") : original;
    let done = 0;
    for (let seed = 1; seed <= SEEDS; seed++) {
      const dice = random(seed * 7919 + name.length);
      let text = start;
      const history: { edits: TextEdit[]; before: string; after: string }[] = [];
      for (let step = 0; step < STEPS; step++) {
        const command = anyCommand(dice, text, drawing(text));
        try {
          const applied = apply(text, command);
          if (!applied.ok) {
            expect(applied.refused.key).toMatch(/^document\./);
            // That a change would break the text is the last net, not the way things are refused.
            if (applied.refused.key === "document.would_break") throw new Error("would break");
            continue;
          }
          const after = prove(text, applied.edits);
          if (!derive(after).ok) throw new Error("not drawn");
          for (const id of applied.created) expect(drawing(after).nodes.map((node) => node.id)).toContain(id);
          meansOnly(command, text, after);
          copy(after, drawing(after).nodes.slice(0, 2).map((node) => node.id));
          if (/\r\n/.test(text) && after.replaceAll("\r\n", "").includes("\n")) throw new Error(`bare line end in\n${JSON.stringify(after)}`);
          history.push({ edits: applied.edits, before: text, after });
          text = after;
          done++;
        } catch (error) {
          throw new Error(`seed ${seed} step ${step} ${JSON.stringify(command)}: ${String(error)}\n----\n${text}`);
        }
      }
      const last = text;
      for (const { edits, before, after } of [...history].reverse()) {
        text = applyEdits(text, invert(before, edits));
        expect(text).toBe(before);
        void after;
      }
      expect(text).toBe(start);
      for (const { edits } of history) text = applyEdits(text, edits);
      expect(text).toBe(last);
    }
    expect(done).toBeGreaterThan(10);
  });
});
