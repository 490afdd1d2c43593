import { describe, expect, it } from "vitest";

import { compare, consequences, mayConnect, merge } from "../../src/document";
import { corpus, drawing, run } from "./helpers";
import { nasty } from "./nasty";
import { t, useLanguage } from "../../src/i18n";
import { document as english } from "../../src/i18n/en/document";
import { document as french } from "../../src/i18n/fr/document";

describe("merging", () => {
  const base = "a: 1\nb: 2\nc: 3\nd: 4\ne: 5\n";
  it("takes both sides' changes of different lines", () => {
    const merged = merge(base, base.replace("1", "one"), base.replace("5", "five"));
    expect(merged).toMatchObject({ text: "a: one\nb: 2\nc: 3\nd: 4\ne: five\n", conflicts: [] });
  });

  it("keeps mine until somebody chooses", () => {
    const merged = merge(base, base.replace("3", "mine"), base.replace("3", "theirs"));
    expect(merged.conflicts).toEqual([{ base: "c: 3\n", mine: "c: mine\n", theirs: "c: theirs\n", line: 3 }]);
    expect(merged.text).toContain("c: mine\n");
    expect(merged.resolve(["theirs"])).toBe(base.replace("3", "theirs"));
    expect(merged.resolve(["both"])).toContain("c: mine\nc: theirs\nd: 4\n");
  });

  it("is no conflict when both did the same, nor when only one did anything", () => {
    const changed = base.replace("3", "three");
    expect(merge(base, changed, changed)).toMatchObject({ text: changed, conflicts: [] });
    expect(merge(base, base, changed)).toMatchObject({ text: changed, conflicts: [] });
    expect(merge(base, changed, base)).toMatchObject({ text: changed, conflicts: [] });
  });

  it("keeps my line ends and does not take others for changes", () => {
    const mine = base.replaceAll("\n", "\r\n");
    expect(merge(base, mine, base.replace("5", "five"))).toMatchObject({ text: mine.replace("5", "five"), conflicts: [] });
    expect(merge("a: 1", "a: 1\nb: 2", "a: 1\nc: 3").resolve(["both"])).toBe("a: 1\nb: 2\nc: 3");
  });

  it("merges gestures of two people on each shared file", () => {
    for (const [, text] of corpus) {
      const [first] = drawing(text).nodes.filter((node) => node.kind === "service");
      const last = drawing(text).nodes.filter((node) => node.kind === "service").at(-1)!;
      if (first!.id === last.id) continue;
      const mine = run(text, { do: "set", path: [...first!.path, "x-mine"], value: 1 });
      const theirs = run(text, { do: "set", path: [...last.path, "x-theirs"], value: 2 });
      const merged = merge(text, mine, theirs);
      expect(merged.conflicts).toEqual([]);
      expect(drawing(merged.text).problems).toEqual([]);
      expect(merged.text).toContain("x-mine: 1");
      expect(merged.text).toContain("x-theirs: 2");
    }
  });

  it("finds its way in long files, also when parts were moved", () => {
    const lines = Array.from({ length: 3_000 }, (_, i) => (i % 3 === 0 ? `key-${i}: x\n` : "  same: line\n"));
    const long = lines.join("");
    const mine = long.replace("key-9: x", "key-9: mine");
    const theirs = lines.slice(300).concat(lines.slice(0, 300)).join("").replace("key-2700: x", "key-2700: theirs");
    const merged = merge(long, mine, theirs);
    expect(merged.resolve(merged.conflicts.map(() => "theirs"))).toContain("key-2700: theirs");
    expect(merged.resolve(merged.conflicts.map(() => "mine"))).toContain("key-9: mine");
  });
});

describe("comparing", () => {
  it("tells what was added, removed and changed, and where", () => {
    const before = nasty["four columns and flush lists"]!;
    let after = run(before, { do: "set", path: ["services", "web", "image"], value: "nginx:2" });
    after = run(after, { do: "remove", nodes: ["service:cache"], edges: [] });
    after = run(after, { do: "add", kind: "service", name: "new", value: { image: "x", depends_on: ["db"] } });
    expect(compare(before, after)).toEqual({
      nodes: [
        { id: "service:web", change: "changed", paths: [["services", "web", "image"], ["services", "web", "depends_on"]] },
        { id: "service:new", change: "added", paths: [] },
        { id: "service:cache", change: "removed", paths: [] },
      ],
      edges: [
        { id: "depends_on:new>db", change: "added" },
        { id: "depends_on:web>cache", change: "removed" },
        { id: "volume:cache>data", change: "removed" },
      ],
    });
    expect(compare(before, before)).toEqual({ nodes: [], edges: [] });
    expect(compare(before, "a: [")).toMatchObject({ nodes: expect.any(Array) as unknown });
  });

  it("does not mind how something is written, nor where it lies", () => {
    expect(compare("services: {a: {image: x}}\n", "services:\n  a:\n    image: 'x'\nx-escale: {canvas: {services: {a: [1, 2]}}}\n").nodes).toEqual([]);
  });
});

describe("consequences", () => {
  it("name who loses what", () => {
    const found = consequences(drawing(nasty["long forms"]!), ["service:db"], []);
    const keys = found.map(({ message }) => message.key);
    expect(keys).toContain("document.consequence.link");
    expect(keys).toContain("document.consequence.comments");
    expect(keys).toContain("document.consequence.unused");
    expect(consequences(drawing(nasty["long forms"]!), ["machine:front"], [])).toMatchObject([{ message: { key: "document.consequence.machine" }, nodes: ["service:web"] }]);
    expect(consequences(drawing(nasty["long forms"]!), ["service:copy"], [])).toEqual([]);
    expect(consequences(drawing(nasty["long forms"]!), [], ["link:web>db"])).toEqual([]);
  });
});

describe("connecting", () => {
  const shown = drawing("services:\n  a: {image: x, depends_on: [b], volumes: ['v:/1']}\n  b: {image: x, depends_on: [c]}\n  c: {image: x}\nvolumes: {v: }\nnetworks: {n: }\nx-escale: {machines: {m: }}\n");
  it.each([
    ["service:a", "service:c", undefined, true], ["service:c", "service:a", undefined, "document.connect.circle"], ["service:a", "service:b", undefined, "document.connect.twice"],
    ["service:a", "service:a", undefined, "document.connect.self"], ["service:a", "volume:v", undefined, true], ["service:a", "network:n", undefined, true],
    ["service:a", "machine:m", undefined, "document.connect.group"], ["volume:v", "network:n", undefined, "document.connect.from_service"],
    ["service:a", "network:n", "volume", "document.connect.kind"], ["service:c", "service:a", "link", true], ["service:a", "service:zz", undefined, "document.no_such_node"],
  ] as const)("%s to %s", (source, target, kind, wanted) => {
    const may = mayConnect(shown, source, target, kind);
    expect(may.ok ? true : may.refused.key).toBe(wanted);
  });

  it("turns a line that was drawn backwards", () => {
    expect(mayConnect(shown, "volume:v", "service:b")).toEqual({ ok: true, kind: "volume", source: "service:b", target: "volume:v" });
  });
});

it("says everything in both languages", async () => {
  expect(Object.keys(french).sort()).toEqual(Object.keys(english).sort());
  const blanks = (text: string): string[] => (text.match(/\{\w+\}/g) ?? []).sort();
  for (const [key, text] of Object.entries(english)) {
    // The plural says a number that the singular may spell out.
    expect([key, blanks(french[key]!)]).toEqual([key, blanks(text)]);
  }
  await useLanguage("fr");
  expect(t("command.place", { count: 3, name: "x" })).toBe("Déplacer 3 cartes");
  await useLanguage("en");
});
