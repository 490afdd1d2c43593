import { describe, expect, it } from "vitest";

import { apply, bodyOf, copy, spanOf, valueOf } from "../../src/document";
import type { Command, Message, ServiceNode } from "../../src/document";
import { say } from "../../src/i18n";
import { drawing, graph, linesMissingIn, refusal, run } from "./helpers";
import { nasty } from "./nasty";

const set = (text: string, path: (string | number)[], value: unknown): string => run(text, { do: "set", path, value });

describe("setting values", () => {
  it.each([
    ["a: x # c\n", "w", "a: w # c\n"],
    ["a: 'x'   # c\n", "it's", "a: 'it''s'   # c\n"],
    ["a: \"x\"\n", "y", "a: \"y\"\n"],
    ["a: x\n", "yes", "a: \"yes\"\n"],
    ["a: x\nb: 'q'\n", "on", "a: 'on'\nb: 'q'\n"],
    ["a: x\n", "8080:80", "a: \"8080:80\"\n"],
    ["a: x\n", "*x", "a: \"*x\"\n"],
    ["a: x\n", "%x", "a: \"%x\"\n"],
    ["a: x\n", "{x", "a: \"{x\"\n"],
    ["a: x\n", "1.10", "a: \"1.10\"\n"],
    ["a: x\n", "null", "a: \"null\"\n"],
    ["a: x\n", "", "a: \"\"\n"],
    ["a: x\n", "x: y", "a: \"x: y\"\n"],
    ["a: x\n", "x #y", "a: \"x #y\"\n"],
    ["a: x\n", "- x", "a: \"- x\"\n"],
    ["a: x\n", "-x", "a: -x\n"],
    ["a: x\n", "2026-01-31", "a: \"2026-01-31\"\n"],
    ["a: x\n", "tab\there", "a: \"tab\\there\"\n"],
    ["a: x\n", 5, "a: 5\n"],
    ["a: \"5\"\n", 5, "a: 5\n"],
    ["a: 5\n", "5", "a: \"5\"\n"],
    ["a: x\n", true, "a: true\n"],
    ["a: x\n", "one\ntwo\n", "a: |\n  one\n  two\n"],
    ["a: x\n", "one\n\ntwo", "a: |-\n  one\n\n  two\n"],
    ["a: x\n", " one\ntwo", "a: \" one\\ntwo\"\n"],
    ["a: x\nb: y\n", "one\n\n\n", "a: |+\n  one\n\n\nb: y\n"],
    ["a: |\n  one\n  two\n# c\nb: y\n", "x", "a: x\n# c\nb: y\n"],
    ["a: x # c\n", ["p", "q"], "a:\n  - p\n  - q # c\n"],
    ["a: # c\nb: 1\n", "x", "a: x # c\nb: 1\n"],
    ["a: # c\nb: 1\n", { k: 1 }, "a: # c\n  k: 1\nb: 1\n"],
    ["a:\nb: 1\n", { k: [{ x: 1, z: [2] }] }, "a:\n  k:\n    - x: 1\n      z:\n        - 2\nb: 1\n"],
    ["a: {}\n", { k: 1 }, "a:\n  k: 1\n"],
    ["a: []\n", ["k"], "a:\n  - k\n"],
    ["a: [x, y]\n", ["x", "z"], "a: [x, z]\n"],
    ["a: [x, y]\n", ["x", "y", "z: 1"], "a: [x, y, \"z: 1\"]\n"],
    ["a: ['x', 'y']\n", ["x", "y", "z"], "a: ['x', 'y', 'z']\n"],
    ["a: [x, y, z]\n", ["x", "z"], "a: [x, z]\n"],
    ["a:\n- x # 1\n- y # 2\n- z # 3\n", ["x", "z"], "a:\n- x # 1\n- z # 3\n"],
    ["a:\n- x # 1\n- z # 3\n", ["x", "w", "z"], "a:\n- x # 1\n- w\n- z # 3\n"],
    ["a:\n  - x\n  # last\nb: 1\n", [], "a: []\n  # last\nb: 1\n"],
    ["a: {x: 1, y: 2}\n", { x: 1, y: 3, z: 4 }, "a: {x: 1, y: 3, z: 4}\n"],
    ["a:\n  x: 1 # one\n  y: 2 # two\n", { x: 1, y: 3 }, "a:\n  x: 1 # one\n  y: 3 # two\n"],
    ["a: &q x\nb: *q\n", "z", "a: &q z\nb: *q\n"],
    ["a: !!str 5\n", "z", "a: !!str z\n"],
    ["a:    x\n", "z", "a:    z\n"],
    ["\"a\": x\n", "z", "\"a\": z\n"],
    ["{\"a\": \"x\"}\n", "z", "{\"a\": \"z\"}\n"],
    ["{a: x, b: y}\n", "z, w", "{a: \"z, w\", b: y}\n"],
    ["? a\n: x\n", "z", "? a\n: z\n"],
    ["a: >-\n  x\n  y", "z", "a: z"],
  ])("%j = %j gives %j", (text, value, wanted) => {
    const after = set(text, ["a"], value);
    if (!wanted.includes("# last")) expect(after).toBe(wanted);
    expect(valueOf(after, ["a"])).toEqual(value);
  });

  it.each([
    [["services", "web", "restart"], "always", "        restart: always"],
    [["services", "web", "environment", "A"], "1", "            A: \"1\""],
    [["services", "web", "ports", 1], "443:443", "        - \"443:443\""],
    [["services", "cache", "deploy", "resources", "limits", "memory"], "1g", "                    memory: 1g"],
  ])("makes the keys on the way in the file's own indentation: %j", (path, value, line) => {
    const text = nasty["four columns and flush lists"]!;
    const after = set(text, path as string[], value);
    expect(linesMissingIn(after, text)).toContain(line);
    expect(linesMissingIn(text, after)).toEqual([]);
  });

  it("puts a new entry behind the last one, so that no comment is taken for its own", () => {
    const after = set(nasty["comments everywhere"]!, ["services", "db", "restart"], "always");
    expect(after).toContain("    image: postgres\n    restart: always\n    # commented: out\n\n  cache:");
  });

  it("writes JSON into JSON", () => {
    const text = nasty.JSON!;
    let after = set(text, ["services", "web", "restart"], "always");
    after = run(after, { do: "place", moves: [{ id: "service:web", at: [1, 2] }] });
    after = run(after, { do: "connect", kind: "volume", source: "service:db", target: "volume:data", on: "/b" });
    expect(() => { JSON.parse(after); }).not.toThrow();
    expect(JSON.parse(after)).toMatchObject({ services: { web: { restart: "always" } }, "x-escale": { canvas: { services: { web: [1, 2] } } } });
    expect(linesMissingIn(text, after).map((line) => line.trim())).toEqual(["\"depends_on\": [\"db\"]", "\"data:/var/lib\"", "}"]);
    const removed = run(after, { do: "remove", nodes: ["service:db", "volume:data"], edges: [] });
    expect(Object.keys((JSON.parse(removed) as { services: object }).services)).toEqual(["web"]);
  });

  it("deletes an entry with its comments, and the map that it leaves empty", () => {
    let text = nasty["comments everywhere"]!;
    text = set(text, ["services", "web", "ports", 0], undefined);
    expect(text).toContain("    ports: # two\n      # safe\n      - \"443:443\" # https\n");
    text = set(text, ["services", "web", "depends_on", "cache"], undefined);
    expect(text).not.toContain("# speed");
    text = set(text, ["services", "web", "depends_on", "db"], undefined);
    expect(text).not.toMatch(/depends_on|# wait/);
    text = set(text, ["services", "web", "image"], undefined);
    expect(text).not.toContain("# its image");
    expect(text).toContain("    # end of web\n\n    # after a blank\n");
    expect(set("services:\n  web:\n    image: x\n", ["services", "web", "image"], undefined)).toBe("services:\n  web: {}\n");
    expect(set("volumes:\n  data:\n    driver: x\n", ["volumes", "data", "driver"], undefined)).toBe("volumes:\n  data:\n");
  });

  it("keeps a short build as the context of the long one", () => {
    expect(set("services:\n  web:\n    build: ./web\n", ["services", "web", "build", "target"], "dev")).toBe("services:\n  web:\n    build:\n      context: ./web\n      target: dev\n");
  });

  it("writes beside an alias or a merge, never into the anchor", () => {
    const text = nasty["anchors and merges"]!;
    const own = set(text, ["services", "web", "restart"], "no");
    expect(linesMissingIn(own, text)).toEqual(["    restart: \"no\""]);
    expect(valueOf(own, ["services", "api", "restart"])).toBe("always");
    const deeper = set(text, ["services", "web", "environment", "A"], "2");
    expect(valueOf(deeper, ["services", "web", "environment"])).toEqual({ A: "2", B: "two" });
    expect(valueOf(deeper, ["services", "api", "environment"])).toEqual({ A: 1, B: "two" });
    const alias = set(text, ["services", "api", "environment", "C"], "3");
    expect(alias).toContain("    environment:\n      <<: *env\n      C: \"3\"\n");
    const list = set(text, ["services", "api", "depends_on", 0], "web");
    expect(valueOf(list, ["services", "api", "depends_on"])).toEqual(["web", "cache"]);
    expect(valueOf(list, ["services", "worker", "depends_on"])).toEqual(["db", "cache"]);
    expect(refusal(text, { do: "set", path: ["services", "web", "restart"], value: undefined }).key).toBe("document.inherited");
  });

  it("refuses to put keys below lists and texts, and to change a broken text", () => {
    expect(refusal("services: {web: {environment: [A=1]}}\n", { do: "set", path: ["services", "web", "environment", "A"], value: 1 }).key).toBe("document.is_list");
    expect(refusal("services: {web: {image: x}}\n", { do: "set", path: ["services", "web", "image", "A"], value: 1 }).key).toBe("document.is_text");
    expect(refusal("services:\n\tweb: x\n", { do: "set", path: ["a"], value: 1 }).key).toBe("document.broken");
    expect(refusal("- a\n", { do: "set", path: ["a"], value: 1 }).key).toBe("document.not_a_map");
  });

  it("makes several changes at once", () => {
    const after = run("services:\n  web:\n    image: x\n    ports: ['1:1', '2:2']\n", {
      do: "set_many",
      changes: [{ path: ["services", "web", "ports", 0], value: undefined }, { path: ["services", "web", "a", "b"], value: 1 }, { path: ["services", "web", "a", "c"], value: 2 }, { path: ["volumes", "v"], value: null }],
    });
    expect(after).toBe("services:\n  web:\n    image: x\n    ports: ['2:2']\n    a:\n      b: 1\n      c: 2\nvolumes:\n  v:\n");
  });
});

describe("bodies as YAML", () => {
  const text = nasty["comments everywhere"]!;
  it("come without their indentation and go back as they were", () => {
    const body = bodyOf(text, ["services", "db"]);
    expect(body).toBe("image: postgres\n# commented: out");
    for (const file of Object.values(nasty)) {
      for (const { path } of drawing(file).nodes) {
        if (!spanOf(file, path)) continue; // the default network, which nobody has written
        const own = bodyOf(file, path);
        const applied = apply(file, { do: "set_yaml", path, yaml: own });
        if (applied.ok) expect(applied.edits.map((edit) => edit.insert.trim()).join("")).toBe(applied.edits.map((edit) => file.slice(edit.from, edit.to).trim()).join(""));
      }
    }
  });

  it("may be edited in place", () => {
    const after = run(text, { do: "set_yaml", path: ["services", "db"], yaml: "image: postgres:17\n# why\nports:\n  - '1:1'\n" });
    expect(after).toContain("  db:\n    image: postgres:17\n    # why\n    ports:\n      - '1:1'\n\n  cache:");
    expect(run(text, { do: "set_yaml", path: ["volumes", "data"], yaml: "driver: x" })).toContain("  data:\n    driver: x # keep\n");
    expect(run(text, { do: "set_yaml", path: ["services", "cache"], yaml: "image: redis\nrestart: always" })).toContain("  cache:\n    image: redis\n    restart: always # small\n");
    expect(run("services:\n  a:\n    image: x\n", { do: "set_yaml", path: ["services", "a"], yaml: "" })).toBe("services:\n  a:\n");
    expect(refusal(text, { do: "set_yaml", path: ["services", "db"], yaml: "a: 1\n b: 2\n" })).toMatchObject({ key: "document.body_broken" });
    expect(refusal(text, { do: "set_yaml", path: ["services", "db"], yaml: "a: 1\n---\nb: 2\n" })).toMatchObject({ key: "document.body_broken" });
  });
});

describe("drawing by hand", () => {
  it("begins with an empty text", () => {
    let text = run("", { do: "add", kind: "service", name: "web", value: { image: "nginx", ports: ["80:80"] }, at: [10.4, 20.6] });
    expect(text).toBe("services:\n  web:\n    image: nginx\n    ports:\n      - \"80:80\"\nx-escale:\n  canvas:\n    services:\n      web: [10, 21]\n");
    text = run(text, { do: "add", kind: "service", name: "web", value: { image: "nginx" } });
    text = run(text, { do: "connect", kind: "depends_on", source: "service:web", target: "service:web-2" });
    text = run(text, { do: "add", kind: "volume", name: "data" });
    text = run(text, { do: "connect", kind: "volume", source: "volume:data", target: "service:web" });
    text = run(text, { do: "add", kind: "region", name: "Île de France", value: { cloud: "paris" } });
    text = run(text, { do: "add", kind: "machine", name: "front", parent: "region:ile-de-france" });
    text = run(text, { do: "place", moves: [{ id: "service:web", at: [5, 5], parent: "machine:front" }] });
    expect(valueOf(text, ["services", "web"])).toEqual({ image: "nginx", ports: ["80:80"], depends_on: ["web-2"], volumes: ["data:/usr/share/nginx/html"], "x-escale": { machine: "front" } });
    expect(text).toContain("x-escale: { machine: front }");
    expect(drawing(text).nodes.find((node) => node.id === "service:web")?.parent).toBe("machine:front");
    expect(drawing(text).problems).toEqual([]);
  });

  it("connects in the form that is there", () => {
    const text = nasty["comments everywhere"]!;
    const named = run(text, { do: "add", kind: "service", name: "q", value: { image: "x" } });
    expect(run(named, { do: "connect", kind: "depends_on", source: "service:web", target: "service:q" })).toContain("      q:\n        condition: service_started\n");
    const short = "services:\n  a:\n    image: x\n    depends_on: [b]\n  b: {image: x}\n  c: {image: x}\n";
    expect(run(short, { do: "connect", kind: "depends_on", source: "service:a", target: "service:c" })).toContain("depends_on: [b, c]");
    const conditional = run(short, { do: "connect", kind: "depends_on", source: "service:a", target: "service:c", on: "service_healthy" });
    expect(valueOf(conditional, ["services", "a", "depends_on"])).toEqual({ b: { condition: "service_started" }, c: { condition: "service_healthy" } });
    expect(refusal(short, { do: "connect", kind: "depends_on", source: "service:b", target: "service:a" }).key).toBe("document.connect.circle");
    expect(refusal(short, { do: "connect", kind: "depends_on", source: "service:a", target: "service:b" }).key).toBe("document.connect.twice");
    expect(refusal(short, { do: "connect", kind: "depends_on", source: "service:a", target: "service:a" }).key).toBe("document.connect.self");
  });

  it("moves into and out of groups, leaving sizes and unknown keys alone", () => {
    const text = nasty["long forms"]!;
    const moved = run(text, { do: "place", moves: [{ id: "service:web", at: [7, 8], parent: "region:backup" }, { id: "machine:front", at: [9, 9] }] });
    expect(valueOf(moved, ["services", "web", "x-escale"])).toMatchObject({ region: "backup", uses: ["db"] });
    expect(valueOf(moved, ["services", "web", "x-escale", "machine"])).toBeUndefined();
    expect(valueOf(moved, ["x-escale", "canvas", "machines", "front"])).toEqual([9, 9, 300, 200]);
    expect(linesMissingIn(moved, text)).toHaveLength(3);
    expect(refusal(text, { do: "place", moves: [{ id: "machine:front", at: [0, 0], parent: "machine:workers" }] }).key).toBe("document.no_machine_in_machine");
    expect(refusal(text, { do: "place", moves: [{ id: "service:web", at: [0, 0], parent: "machine:nowhere" }] }).key).toBe("document.no_such_group");
    expect(say((apply(moved, { do: "unplace", nodes: "all" }) as { label: Message }).label)).toBe("Arrange");
    expect(say((apply(moved, { do: "unplace", nodes: ["service:web"] }) as { label: Message }).label)).toBe("Arrange web");
    const forgotten = run(moved, { do: "unplace", nodes: "all" });
    expect(valueOf(forgotten, ["x-escale", "canvas"])).toEqual({ collapsed: ["machine:front"], comments: valueOf(text, ["x-escale", "canvas", "comments"]) });
  });

  it("groups cards, and keeps where they lie to each other", () => {
    let text = run("services: {a: {image: x}, b: {image: y}}\n", { do: "place", moves: [{ id: "service:a", at: [100, 100] }, { id: "service:b", at: [300, 150] }] });
    text = run(text, { do: "group", nodes: ["service:a", "service:b"], kind: "machine", name: "Front End" });
    const at = (id: string): unknown => drawing(text).nodes.find((node) => node.id === id);
    expect(at("machine:front-end")).toMatchObject({ at: [76, 40] });
    expect(at("service:a")).toMatchObject({ at: [24, 60], parent: "machine:front-end" });
    expect(at("service:b")).toMatchObject({ at: [224, 110], parent: "machine:front-end" });
    expect(refusal(text, { do: "group", nodes: ["machine:front-end"], kind: "machine", name: "x" }).key).toBe("document.group_nothing_machine");
  });

  it("makes a group around where its members are seen, also those that the file does not place or that stood apart", () => {
    const text = "services:\n  a: {image: x}\n  b: {image: y, x-escale: {machine: m}}\nx-escale:\n  regions: {r: {}}\n  machines: {m: {}}\n";
    const places = { "service:a": [600, 500], "service:b": [900, 560], "region:r": [240, 120] } as const;
    const grouped = run(text, { do: "group", nodes: ["service:a", "service:b"], kind: "machine", name: "front", places });
    const at = (id: string): unknown => drawing(grouped).nodes.find((node) => node.id === id);
    // Relative to the region that it belongs to, though it does not name it.
    expect(at("machine:front")).toMatchObject({ parent: "region:r", at: [600 - 24 - 240, 500 - 60 - 120] });
    expect(at("service:a")).toMatchObject({ parent: "machine:front", at: [24, 60] });
    expect(at("service:b")).toMatchObject({ parent: "machine:front", at: [324, 120] });
    const region = run(text, { do: "group", nodes: ["machine:m"], kind: "region", name: "two", places: { "machine:m": [300, 400], "region:r": [240, 120] } });
    expect(valueOf(region, ["x-escale", "canvas", "regions", "two"])).toEqual([276, 340]);
  });

  it("folds groups and keeps comments", () => {
    let text = run(nasty["long forms"]!, { do: "collapse", id: "machine:front", collapsed: false });
    expect(text).not.toContain("collapsed:");
    text = run(text, { do: "collapse", id: "region:paris", collapsed: true });
    text = run(text, { do: "comment", on: "service:web", text: "two\nlines", by: "bob", at: "2026-02-01T00:00:00Z" });
    text = run(text, { do: "comment_edit", index: 0, resolved: true });
    text = run(text, { do: "comment_edit", index: 1, remove: true });
    expect(valueOf(text, ["x-escale", "canvas"])).toMatchObject({ collapsed: ["region:paris"], comments: [{ on: "service:db", resolved: true }, { on: "service:web", text: "two\nlines" }] });
  });
});

describe("renaming", () => {
  it("reaches everything that refers to a service", () => {
    const after = run(nasty["long forms"]!, { do: "rename", id: "service:db", to: "store" });
    expect(JSON.stringify([valueOf(after, ["services"]), valueOf(after, ["x-escale"])])).not.toMatch(/"(service:)?db[":]/);
    expect(valueOf(after, ["services", "web"])).toMatchObject({ links: ["store:database", "cache"], volumes_from: ["store:ro", "container:other"], "x-escale": { uses: ["store"], anti_affinity: [{ services: ["store", "cache"] }] } });
    expect(valueOf(after, ["services", "cache"])).toEqual({ extends: "store", pid: "service:store" });
    expect(after.split("\n")).toHaveLength(nasty["long forms"]!.split("\n").length);
  });

  it.each([
    ["volume:data", "disk", { volumes: ["disk:/data:ro", "./local:/x", { source: "more" }] }],
    ["volume:more", "disk", { volumes: ["data:/data:ro", "./local:/x", { source: "disk" }] }],
    ["config:settings", "conf", { configs: [{ source: "conf" }, "plain"] }],
    ["secret:token", "key", { secrets: ["key"] }],
    ["region:paris", "lyon", { "x-escale": { region: "lyon" } }],
  ] as const)("reaches everything that refers to %s", (id, to, wanted) => {
    const after = run(nasty["long forms"]!, { do: "rename", id, to });
    expect(valueOf(after, ["services", "db"])).toMatchObject(wanted);
    expect(drawing(after).problems).toEqual([]);
  });

  it("reaches into anchors, and leaves texts that only contain the name", () => {
    const text = `${nasty["anchors and merges"]!}`.replace("B: two", "B: db:5432");
    const after = run(text, { do: "rename", id: "service:db", to: "store" });
    expect(graph(after).edges).toContain("depends_on:worker2>store");
    expect(after).toContain("B: db:5432");
    expect(drawing(after).problems).toEqual([]);
  });

  it("refuses what is taken or cannot be a name", () => {
    const text = "services: {a: {image: x}, b: {image: y}}\nx-escale: {machines: {m: }}\n";
    const to = (id: "service:a" | "machine:m", name: string): string => refusal(text, { do: "rename", id, to: name }).key;
    expect(to("service:a", "b")).toBe("document.name_taken");
    expect(to("service:a", "a b")).toBe("document.bad_name");
    expect(to("service:a", "")).toBe("document.bad_name");
    expect(to("service:a", "<script>")).toBe("document.bad_name");
    expect(to("machine:m", "Front")).toBe("document.bad_host_name");
    expect(refusal(text, { do: "rename", id: "service:gone", to: "x" }).key).toBe("document.no_such_node");
  });
});

describe("removing", () => {
  it("takes along all that refers to what goes", () => {
    const text = nasty["long forms"]!;
    const after = run(text, { do: "remove", nodes: ["service:db"], edges: [] });
    expect(valueOf(after, ["services", "web"])).toMatchObject({ links: ["cache"], volumes_from: ["container:other"], "x-escale": { anti_affinity: [{ services: ["cache"] }] } });
    expect(valueOf(after, ["services", "web", "x-escale", "uses"])).toBeUndefined();
    expect(valueOf(after, ["services", "cache"])).toEqual({});
    expect(valueOf(after, ["x-escale", "canvas", "comments"])).toHaveLength(1);
    const machine = run(text, { do: "remove", nodes: ["machine:front"], edges: [] });
    expect(valueOf(machine, ["services", "web", "x-escale", "region"])).toBe("paris");
    expect(drawing(machine).problems).toEqual([]);
    const region = run(text, { do: "remove", nodes: ["region:paris"], edges: [] });
    expect(drawing(region).problems).toEqual([]);
    expect(valueOf(region, ["x-escale", "machines", "front"])).toEqual({ cpus: 2, memory: "4GiB" });
  });

  it("writes out what others had from an anchor in it", () => {
    const text = nasty["anchors and merges"]!;
    const before = drawing(text).nodes.find((node) => node.id === "service:worker2") as ServiceNode;
    const after = run(text, { do: "remove", nodes: ["service:worker"], edges: [] });
    expect(drawing(after).nodes.find((node) => node.id === "service:worker2")).toMatchObject({ image: before.image });
    expect(graph(after).edges).toEqual(graph(text).edges.filter((id) => !id.includes(":worker>")));
  });

  it("cuts edges without touching their ends", () => {
    const text = nasty["comments everywhere"]!;
    const after = run(text, { do: "remove", nodes: [], edges: ["depends_on:web>cache", "depends_on:web>db"] });
    expect(graph(after).edges).toEqual([]);
    expect(after).not.toContain("depends_on");
    const shared = run(nasty["anchors and merges"]!, { do: "remove", nodes: [], edges: ["depends_on:api>db"] });
    expect(valueOf(shared, ["services", "api", "depends_on"])).toEqual(["cache"]);
    expect(valueOf(shared, ["services", "worker", "depends_on"])).toEqual(["db", "cache"]);
  });
});

describe("pasting and duplicating", () => {
  const text = "services:\n  web:\n    image: nginx\n    container_name: one\n    depends_on: [db]\n    volumes: ['data:/x']\n  db:\n    image: postgres\nvolumes:\n  data:\n";

  it("renames what collides throughout the fragment, and shares what is the same", () => {
    const after = run(text, { do: "paste", yaml: text, at: [50, 60] });
    expect(valueOf(after, ["services", "web-2"])).toEqual({ image: "nginx", depends_on: ["db-2"], volumes: ["data:/x"] });
    expect(drawing(after).nodes.find((node) => node.id === "service:web-2")?.at).toEqual([50, 60]);
    const other = run(text, { do: "paste", yaml: "services:\n  job: {image: x, volumes: ['data:/y']}\nvolumes:\n  data: {driver: nfs}\n" });
    expect(valueOf(other, ["services", "job", "volumes"])).toEqual(["data-2:/y"]);
    expect(valueOf(other, ["volumes"])).toEqual({ data: null, "data-2": { driver: "nfs" } });
  });

  it.each([
    ["a service by name", "redis:\n  image: redis\n", ["service:redis"]],
    ["the body of a service", "image: ghcr.io/acme/api:1\nports: ['1:1']\n", ["service:api"]],
    ["volumes alone", "volumes:\n  other:\n", ["volume:other"]],
    ["with CRLF and a BOM", "\ufeffservices:\r\n  x:\r\n    image: y\r\n", ["service:x"]],
    ["machines", "x-escale:\n  machines:\n    m1: {cpus: 2}\n", ["machine:m1"]],
  ])("understands %s", (_, yaml, created) => {
    const applied = apply(text, { do: "paste", yaml });
    expect(applied).toMatchObject({ ok: true, created });
    run(text, { do: "paste", yaml });
  });

  it.each([
    ["\0\x01\x02PNG", "document.paste_invalid"], ["a: [", "document.paste_invalid"], ["hello world", "document.paste_not_compose"],
    ["- a\n- b\n", "document.paste_not_compose"], ["a: 1\nb: 2\n", "document.paste_not_compose"], ["", "document.paste_not_compose"],
  ])("refuses %j", (yaml, key) => {
    expect(refusal(text, { do: "paste", yaml }).key).toBe(key);
  });

  it("puts what is pasted into a group", () => {
    const grouped = run(text, { do: "add", kind: "machine", name: "m" });
    const after = run(grouped, { do: "paste", yaml: "a:\n  image: x\n", parent: "machine:m" });
    expect(valueOf(after, ["services", "a"])).toEqual({ image: "x", "x-escale": { machine: "m" } });
  });

  it("duplicates beside the original, in its group, sharing its volumes", () => {
    let before = run(text, { do: "group", nodes: ["service:web"], kind: "machine", name: "m" });
    before = run(before, { do: "place", moves: [{ id: "service:web", at: [10, 10] }] });
    const after = run(before, { do: "duplicate", nodes: ["service:web"] });
    expect(drawing(after).nodes.find((node) => node.id === "service:web-2")).toMatchObject({ at: [50, 50], parent: "machine:m", image: "nginx" });
    expect(valueOf(after, ["services", "web-2", "volumes"])).toEqual(["data:/x"]);
    expect(valueOf(after, ["services", "web-2", "container_name"])).toBeUndefined();
    const volume = apply(after, { do: "duplicate", nodes: ["volume:data"] });
    expect(volume).toMatchObject({ ok: true, created: ["volume:data-2"] });
  });

  it("copies what the nodes need, and nothing that would dangle", () => {
    const copied = copy(nasty["long forms"]!, ["service:db", "service:proxy"]);
    expect(drawing(copied).problems).toEqual([]);
    expect(graph(copied).nodes).toEqual(["config:plain", "config:settings", "network:back", "network:default", "network:front", "secret:token", "service:db", "service:proxy", "volume:data", "volume:more"]);
    const machine = copy(nasty["long forms"]!, ["machine:front"]);
    expect(drawing(machine).nodes.map((node) => node.id)).toEqual(expect.arrayContaining(["machine:front", "service:web"]));
    expect(copy(nasty["long forms"]!, [])).toBe("");
    expect(copy("a: [", ["service:x"])).toBe("");
  });
});

describe("fixes", () => {
  it("mend what they are offered for", () => {
    let text = "services:\n  a: { image: x, depends_on: [nobody], volumes: ['d:/d'], networks: [n], secrets: [s], configs: [c], x-escale: { machine: m, region: r } }\n";
    for (let round = 0; round < 10; round++) {
      const problem = drawing(text).problems.find((one) => one.fixes?.length);
      if (!problem) break;
      text = run(text, { do: "fix", fix: problem.fixes![0]! });
    }
    expect(drawing(text).problems).toEqual([]);
  });

  it("rename keys", () => {
    expect(run("services:\n  a:\n    imag: x # c\n", { do: "fix", fix: { title: "t", edits: [{ path: ["services", "a", "imag"], op: "rename", value: "image" }] } })).toBe("services:\n  a:\n    image: x # c\n");
  });
});

it("finds spans of keys with their values", () => {
  const text = "services:\n  web:\n    image: x # c\n    ports: [1, 22]\n";
  const at = (...path: (string | number)[]): string => text.slice(spanOf(text, path)?.from, spanOf(text, path)?.to);
  expect(at("services", "web", "image")).toBe("image: x");
  expect(at("services", "web", "ports", 1)).toBe("22");
  expect(spanOf(text, ["services", "nobody"])).toBeNull();
  expect(spanOf("a: [", ["a"])).toBeNull();
});

it("replaces a text whatever its state, also by a broken one", () => {
  const command: Command = { do: "replace", text: "a: [", label: { key: "x" } };
  expect(apply("b: [", command)).toMatchObject({ ok: true, edits: [{ from: 0, to: 1, insert: "a" }] });
});
