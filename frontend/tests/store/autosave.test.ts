import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";

import { Unreachable } from "../../src/api/client";
import { MAX_BYTES } from "../../src/store/autosave";
import { memoryCopies } from "../../src/store/copies";
import { BASE, BOTH, begin, draftOn, FakePortal, MINE, problem, THEIRS } from "./portal";

const later = (ms: number) => vi.advanceTimersByTimeAsync(ms);

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

describe("autosave", () => {
  it("sends files that came along with the next write, and keeps those that are stored", async () => {
    const server = new FakePortal();
    draftOn(server);
    server.drafts.get("d1")!.files = ["db/password.txt"];
    const { autosave, page } = begin(server, { draft: "d1", version: null });
    await autosave.open();
    autosave.attach({ "token.txt": "hush" });
    expect(autosave.dirty).toBe(true);
    await later(1_000);
    expect(server.drafts.get("d1")!.files).toEqual(["db/password.txt", "token.txt"]);
    expect(page.told.state).toBe("saved");
    expect(autosave.dirty).toBe(false);
  });

  it("tells which files stand beside the drawing, and takes away the one that is to go, also while a write is on its way", async () => {
    const server = new FakePortal();
    draftOn(server);
    server.drafts.get("d1")!.files = ["db/password.txt", "old.txt"];
    const { autosave, page } = begin(server, { draft: "d1", version: null });
    expect(page.told.files).toBe(null);
    await autosave.open();
    expect(page.told.files).toEqual(["db/password.txt", "old.txt"]);
    autosave.detach("old.txt");
    autosave.attach({ "token.txt": "hush" });
    expect(page.told.files).toEqual(["db/password.txt", "token.txt"]);
    let release = () => {};
    server.gate = new Promise((done) => (release = () => done()));
    await later(1_000);
    autosave.detach("token.txt"); // is being sent just now
    server.gate = null;
    release();
    await later(10);
    expect(server.drafts.get("d1")!.files).toEqual(["db/password.txt", "token.txt"]);
    await later(6_000);
    expect(server.drafts.get("d1")!.files).toEqual(["db/password.txt"]);
    expect(page.told.files).toEqual(["db/password.txt"]);
    autosave.detach("db/password.txt");
    await later(1_000);
    expect(server.drafts.get("d1")!.files).toEqual([]);
    expect(autosave.dirty).toBe(false);
  });

  it("tells the files of the version that a design is opened with before anybody draws, and keeps a file's removal until it is sent", async () => {
    const server = new FakePortal();
    server.beside = ["app.env"];
    const { autosave, page } = begin(server, { blueprint: { id: "b1", name: "shop" }, version: 1 });
    await autosave.open();
    expect(page.told.files).toEqual(["app.env"]);
    expect(server.log).toEqual([]);
    draftOn(server);
    Object.assign(server.drafts.get("d1")!, { files: ["app.env"], blueprint: { id: "b1", name: "shop" } });
    server.fail = [new Unreachable(null)];
    autosave.detach("app.env");
    await later(1_000);
    expect(page.told).toMatchObject({ state: "offline", files: [] });
    await later(10_000);
    expect(server.drafts.get("d1")!.files).toEqual([]);
    expect(page.told).toMatchObject({ state: "saved", files: [] });
  });

  it("creates the draft at the first edit, 800 ms after the last key, and writes further edits to it", async () => {
    const server = new FakePortal();
    const { type, page } = begin(server);
    type(`${BASE}# a`);
    await later(700);
    type(`${BASE}# ab`);
    await later(700);
    expect(server.log).toEqual([]);
    expect(page.told.state).toBe("dirty");
    await later(200);
    expect(server.log).toEqual(["create"]);
    expect(page.told).toMatchObject({ state: "saved", draft: "d1" });
    type(`${BASE}# abc`);
    await later(900);
    expect(server.log).toEqual(["create", "write"]);
    expect(server.drafts.get("d1")?.compose).toBe(`${BASE}# abc`);
  });

  it("writes at the latest every five seconds while keys go on", async () => {
    const server = new FakePortal();
    draftOn(server);
    const { type, autosave } = begin(server, { draft: "d1" });
    await autosave.open();
    for (let key = 0; key < 22; key++) {
      type(`${BASE}#${key}`);
      await later(500);
    }
    expect(server.log.filter((what) => what === "write")).toHaveLength(2);
  });

  it("never has two requests under way, and sends what was typed meanwhile afterwards", async () => {
    const server = new FakePortal();
    draftOn(server);
    const { type, page, autosave } = begin(server, { draft: "d1" });
    await autosave.open();
    let release = () => {};
    server.gate = new Promise((resolve) => (release = resolve));
    type(`${BASE}#1`);
    await later(900);
    type(`${BASE}#2`);
    await later(9_000);
    expect(page.told.state).toBe("saving");
    server.gate = null;
    release();
    await later(2_000);
    expect(server.widest).toBe(1);
    expect(server.drafts.get("d1")?.compose).toBe(`${BASE}#2`);
    expect(page.told.state).toBe("saved");
  });

  it("says offline, keeps a copy in the browser, and comes back by itself", async () => {
    const server = new FakePortal();
    draftOn(server);
    const { type, page, copies, autosave } = begin(server, { draft: "d1" });
    await autosave.open();
    server.fail = [new Unreachable(null), new Unreachable(503)];
    type(MINE);
    await later(1_000);
    expect(page.told.state).toBe("offline");
    expect([...copies.held.values()]).toEqual([expect.objectContaining({ text: MINE, base: BASE })]);
    await later(10_000);
    expect(page.told.state).toBe("saved");
    expect(server.drafts.get("d1")?.compose).toBe(MINE);
    expect(copies.held.size).toBe(0);
  });

  it("does not make two drafts when the answer of the creation is lost", async () => {
    const server = new FakePortal();
    const { type, page } = begin(server);
    server.lose = 1;
    type(MINE);
    await later(1_000);
    type(`${MINE}# more`);
    await later(10_000);
    expect(server.drafts.size).toBe(1);
    expect(new Set(server.keys).size).toBe(1);
    expect(server.drafts.get("d1")?.compose).toBe(`${MINE}# more`);
    expect(page.told.state).toBe("saved");
  });

  it("takes its own lost write for what it is", async () => {
    const server = new FakePortal();
    draftOn(server);
    const { type, page, autosave } = begin(server, { draft: "d1" });
    await autosave.open();
    server.lose = 1;
    type(MINE);
    await later(10_000);
    expect(page).toMatchObject({ text: MINE, told: { state: "saved", conflict: null } });
  });

  it("says signed out and goes on once somebody has signed in", async () => {
    const server = new FakePortal();
    draftOn(server);
    const { type, page, autosave, copies } = begin(server, { draft: "d1" });
    await autosave.open();
    server.fail = [problem(401, "not_authenticated"), problem(403, "csrf")];
    type(MINE);
    await later(1_000);
    expect(page.told.state).toBe("signed_out");
    type(`${MINE}# typed while signed out`);
    await later(300);
    expect([...copies.held.values()][0]?.text).toContain("typed while signed out");
    expect(await autosave.flush()).toBe(false);
    expect(await autosave.flush()).toBe(true);
    expect(page.told.state).toBe("saved");
  });

  it("does not send a text that is too large, and says saved again when it shrinks back", async () => {
    const server = new FakePortal();
    draftOn(server);
    const { type, page, autosave } = begin(server, { draft: "d1" });
    await autosave.open();
    type(BASE + "é".repeat(MAX_BYTES / 2));
    await later(1_000);
    expect(page.told.state).toBe("too_large");
    expect(server.log).toEqual(["read"]);
    type(BASE);
    expect(page.told.state).toBe("saved");
  });

  it("takes a 413 of a proxy for too large", async () => {
    const server = new FakePortal();
    draftOn(server);
    const { type, page, autosave } = begin(server, { draft: "d1" });
    await autosave.open();
    server.fail = [problem(413, "too_large")];
    type(MINE);
    await later(1_000);
    expect(page.told.state).toBe("too_large");
  });

  it("tells a refusal and tries again only after the next edit", async () => {
    const server = new FakePortal();
    draftOn(server);
    const { type, page, autosave } = begin(server, { draft: "d1" });
    await autosave.open();
    server.fail = [problem(403, "forbidden")];
    type(MINE);
    await later(60_000);
    expect(page.told.state).toBe("refused");
    expect(page.told.problem?.code).toBe("forbidden");
    expect(server.log).toEqual(["read", "write"]);
    type(`${MINE}#`);
    await later(1_000);
    expect(page.told).toMatchObject({ state: "saved", problem: null });
  });

  it("goes on in a new draft when the old one was thrown away elsewhere", async () => {
    const server = new FakePortal();
    draftOn(server);
    const { type, page, autosave } = begin(server, { draft: "d1" });
    await autosave.open();
    server.drafts.delete("d1");
    server.drafts.set("other", { id: "other", revision: 1, compose: "", name: "", base_version: null, blueprint: null, files: [] });
    type(MINE);
    await later(5_000);
    expect(page.told).toMatchObject({ state: "saved", draft: "d2" });
    expect(server.drafts.get("d2")?.compose).toBe(MINE);
  });
});

describe("two who write the same draft", () => {
  it("join by themselves when they changed different lines, as one step", async () => {
    const server = new FakePortal();
    draftOn(server);
    const { type, page, autosave } = begin(server, { draft: "d1" });
    await autosave.open();
    draftOn(server, THEIRS, 4);
    type(MINE);
    await later(3_000);
    expect(page.text).toBe(BOTH);
    expect(page.steps).toEqual(["editor.merged"]);
    expect(server.drafts.get("d1")?.compose).toBe(BOTH);
    expect(page.told).toMatchObject({ state: "saved", conflict: null });
  });

  it("ask when both changed the same line, send nothing meanwhile, and keep the choice", async () => {
    const server = new FakePortal();
    draftOn(server);
    const { type, page, autosave, copies } = begin(server, { draft: "d1" });
    await autosave.open();
    const theirs = BASE.replace("nginx", "caddy");
    draftOn(server, theirs, 4);
    type(MINE);
    await later(3_000);
    expect(page.told.state).toBe("conflict");
    expect(page.told.conflict?.conflicts).toHaveLength(1);
    expect(page.text).toBe(MINE);
    const asked = server.log.length;
    await later(60_000);
    expect(server.log).toHaveLength(asked);
    expect(copies.held.size).toBe(1);
    expect(await autosave.resolve(`${theirs}# joined by hand\n`)).toBe(true);
    expect(server.drafts.get("d1")).toMatchObject({ compose: `${theirs}# joined by hand\n`, revision: 5 });
    expect(page.told).toMatchObject({ state: "saved", conflict: null });
    expect(copies.held.size).toBe(0);
  });

  it("are joined later when the document worker stops in between", async () => {
    const server = new FakePortal();
    draftOn(server);
    const { autosave, type, page } = begin(server, { draft: "d1" });
    await autosave.open();
    Object.assign(server.drafts.get("d1")!, { compose: THEIRS, revision: 4 });
    page.stopped = true;
    type(MINE);
    await later(1_000);
    expect(page.told.state).toBe("offline");
    page.stopped = false;
    await later(10_000);
    expect(page.told.state).toBe("saved");
    expect(server.drafts.get("d1")?.compose).toBe(BOTH);
  });

  it("do not overwrite what was typed between the question and the answer", async () => {
    const server = new FakePortal();
    draftOn(server);
    const { type, page, autosave } = begin(server, { draft: "d1" });
    await autosave.open();
    draftOn(server, BASE.replace("nginx", "caddy"), 4);
    type(MINE);
    await later(3_000);
    type(`${MINE}# typed on\n`);
    expect(await autosave.resolve("an answer to the older text")).toBe(false);
    expect(page.text).toBe(`${MINE}# typed on\n`);
    expect(page.told.conflict?.mine).toBe(`${MINE}# typed on\n`);
  });

  it("hear of each other at once, and a tab without changes takes the text over", async () => {
    const server = new FakePortal();
    draftOn(server);
    const { page, autosave } = begin(server, { draft: "d1" });
    await autosave.open();
    draftOn(server, THEIRS, 4);
    await autosave.heard("d1", 4, THEIRS);
    expect(page.text).toBe(THEIRS);
    await autosave.heard("d1", 4, "an older message");
    await autosave.heard("another draft", 9, "not ours");
    await later(10_000);
    expect(page.text).toBe(THEIRS);
    expect(server.log).toEqual(["read"]);
  });

  it("meet when a design's draft exists already: what is in it is joined", async () => {
    const server = new FakePortal();
    server.versions = [BASE];
    const blueprint = { id: "b1", name: "shop" };
    server.drafts.set("d1", { id: "d1", revision: 7, compose: THEIRS, name: "shop", base_version: 1, blueprint, files: [] });
    const { type, page } = begin(server, { blueprint, version: 1 });
    type(MINE);
    await later(3_000);
    expect(page.text).toBe(BOTH);
    expect(server.drafts.get("d1")).toMatchObject({ compose: BOTH, revision: 8 });
  });
});

describe("saving a version", () => {
  it("makes the design of a drawing that nobody has touched yet", async () => {
    const server = new FakePortal();
    const { autosave, page } = begin(server);
    expect(await autosave.save({ name: "shop" })).toMatchObject({ saved: { number: 1 } });
    expect(server.versions).toEqual([BASE]);
    expect(page.told).toMatchObject({ blueprint: { name: "shop" }, baseVersion: 1 });
  });

  it("sends what is unsent first", async () => {
    const server = new FakePortal();
    const { autosave, type } = begin(server);
    type(MINE);
    await autosave.save({ name: "shop" });
    expect(server.versions).toEqual([MINE]);
  });

  it("joins a version that somebody saved first, and saves on top of it", async () => {
    const server = new FakePortal();
    server.versions = [BASE];
    const { autosave, type, page } = begin(server, { blueprint: { id: "b1", name: "shop" }, version: 1 });
    type(MINE);
    await later(1_000);
    server.versions.push(THEIRS);
    expect(await autosave.save({ message: "mine" })).toMatchObject({ saved: { number: 3 } });
    expect(server.versions[2]).toBe(BOTH);
    expect(page.steps).toEqual(["editor.merged_version"]);
    expect(page.told.baseVersion).toBe(3);
  });

  it("asks when that version changed the same line, and saves after the answer", async () => {
    const server = new FakePortal();
    server.versions = [BASE];
    server.by = "grace";
    const { autosave, type, page } = begin(server, { blueprint: { id: "b1", name: "shop" }, version: 1 });
    type(MINE);
    await later(1_000);
    const theirs = BASE.replace("nginx", "caddy");
    server.versions.push(theirs);
    expect(await autosave.save({})).toEqual({ state: "conflict" });
    expect(page.told.conflict).toMatchObject({ version: 2, by: "grace" });
    expect(await autosave.resolve(theirs)).toBe(true);
    expect(await autosave.save({})).toMatchObject({ saved: { number: 3 } });
    expect(server.versions).toEqual([BASE, theirs, theirs]);
  });

  it("says so when the connection breaks while what somebody saved first is fetched, and can be done again", async () => {
    const server = new FakePortal();
    server.versions = [BASE];
    const { autosave, type } = begin(server, { blueprint: { id: "b1", name: "shop" }, version: 1 });
    type(MINE);
    await later(1_000);
    server.versions.push(THEIRS);
    const fetchVersion = server.version;
    server.version = () => Promise.reject(new Unreachable(null));
    const { problem: away } = (await autosave.save({})) as { problem: unknown };
    expect(away).toBeInstanceOf(Unreachable);
    server.version = fetchVersion;
    expect(await autosave.save({})).toMatchObject({ saved: { number: 3 } });
    expect(server.versions[2]).toBe(BOTH);
  });

  it("hands mistakes in the text back as a problem", async () => {
    const server = new FakePortal();
    const { autosave, type } = begin(server);
    type("services: [");
    await later(1_000);
    server.fail = [problem(422, "compose.invalid", { findings: [{ code: "yaml" }] })];
    expect(await autosave.save({ name: "x" })).toMatchObject({ problem: { code: "compose.invalid" } });
  });
});

describe("copies of earlier pages", () => {
  const copy = (text: string, base = BASE) => ({ text, base, at: 1, name: "shop" });

  it("are restored, said, and sent", async () => {
    const server = new FakePortal();
    draftOn(server);
    const copies = memoryCopies();
    copies.put("ada/draft:d1:crashed", copy(MINE));
    const { autosave, page } = begin(server, { draft: "d1" }, copies);
    await autosave.open();
    await later(2_000);
    expect(page.text).toBe(MINE);
    expect(page.said).toEqual(["editor.restored"]);
    expect(server.drafts.get("d1")?.compose).toBe(MINE);
    expect(copies.held.size).toBe(0);
  });

  it("are joined with what was written elsewhere since", async () => {
    const server = new FakePortal();
    draftOn(server, THEIRS);
    const copies = memoryCopies();
    copies.put("ada/draft:d1:crashed", copy(MINE));
    const { autosave, page } = begin(server, { draft: "d1", text: THEIRS }, copies);
    await autosave.open();
    await later(2_000);
    expect(page.text).toBe(BOTH);
    expect(server.drafts.get("d1")?.compose).toBe(BOTH);
  });

  it("stay where they are while the page that wrote them is open", async () => {
    const server = new FakePortal();
    draftOn(server);
    const copies = memoryCopies();
    copies.put("ada/draft:d1:open", copy(MINE));
    const { autosave, page, alive } = begin(server, { draft: "d1" }, copies);
    alive.add("open");
    await autosave.open();
    expect(page.text).toBe(BASE);
    expect(copies.held.size).toBe(1);
  });

  it("of another user, another draft or another beginning are left alone", async () => {
    const server = new FakePortal();
    const copies = memoryCopies();
    copies.put("bob/new:shop:x", copy(MINE));
    copies.put("ada/draft:d9:x", copy(MINE));
    copies.put("ada/new:shop:x", copy(MINE, "another beginning"));
    const { autosave, page } = begin(server, {}, copies);
    await autosave.open();
    expect(page.text).toBe(BASE);
    expect(copies.held.size).toBe(3);
  });

  it("that contradict the server's text ask", async () => {
    const server = new FakePortal();
    const theirs = BASE.replace("nginx", "caddy");
    draftOn(server, theirs);
    const copies = memoryCopies();
    copies.put("ada/draft:d1:crashed", copy(MINE));
    const { autosave, page } = begin(server, { draft: "d1", text: theirs }, copies);
    await autosave.open();
    expect(page.told).toMatchObject({ state: "conflict", conflict: { mine: MINE, theirs } });
    expect(await autosave.resolve(theirs)).toBe(true);
    expect(server.drafts.get("d1")?.compose).toBe(theirs);
  });
});
