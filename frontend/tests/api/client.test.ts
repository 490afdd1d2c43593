import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";

import { api, configureApi, ProblemError, take, takeAll, Unreachable, useSession } from "../../src/api/client";

const json = (status: number, body: unknown) => new Response(JSON.stringify(body), { status, headers: { "content-type": "application/json" } });
let answers: (Response | Error)[] = [];
let sent: Request[] = [];

beforeEach(() => {
  vi.useFakeTimers();
  answers = [];
  sent = [];
  useSession.setState({ signedOut: false });
  configureApi({ csrf: "proof", language: "fr" });
  vi.stubGlobal("fetch", (request: Request) => {
    sent.push(request);
    const answer = answers.shift() ?? json(200, {});
    return answer instanceof Error ? Promise.reject(answer) : Promise.resolve(answer);
  });
});
afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

const readDraft = () => take(api.GET("/api/v1/drafts/{id}/", { params: { path: { id: "d1" } } }));
const writeDraft = () =>
  take(api.PUT("/api/v1/drafts/{id}/", { params: { path: { id: "d1" } }, body: { revision: 1, compose: "é\r\n" } }));

/** Let the pauses between attempts pass. */
async function settled<T>(promise: Promise<T>): Promise<T | Error> {
  const caught = promise.catch((error: Error) => error);
  await vi.advanceTimersByTimeAsync(60_000);
  return caught;
}

describe("the client", () => {
  it("reads again with growing pauses while the portal is away", async () => {
    answers = [new TypeError("network"), json(502, {}), json(503, {}), json(200, { id: "d1" })];
    expect(await settled(readDraft())).toEqual({ id: "d1" });
    expect(sent).toHaveLength(4);
  });

  it("gives up in the end, and says that it was not reached", async () => {
    answers = Array.from({ length: 9 }, () => new TypeError("network"));
    expect(await settled(readDraft())).toBeInstanceOf(Unreachable);
    expect(sent).toHaveLength(4);
  });

  it("never repeats a write by itself", async () => {
    answers = [json(503, {})];
    expect(await settled(writeDraft())).toBeInstanceOf(Unreachable);
    expect(sent).toHaveLength(1);
  });

  it("sends the proof against forgery with writes, the language with all, and the text byte by byte", async () => {
    await settled(writeDraft());
    await settled(readDraft());
    expect(sent[0]?.headers.get("X-CSRFToken")).toBe("proof");
    expect(sent[1]?.headers.has("X-CSRFToken")).toBe(false);
    expect(sent[1]?.headers.get("Accept-Language")).toBe("fr");
    expect(sent[0]?.credentials).toBe("same-origin");
    expect(await sent[0]?.json()).toEqual({ revision: 1, compose: "é\r\n" });
  });

  it("throws a refusal with its code, words, hint and members", async () => {
    answers = [json(409, { code: "draft.conflict", title: "Changed", detail: "elsewhere", hint: "join", revision: 4 })];
    const problem = (await settled(writeDraft())) as ProblemError;
    expect(problem).toBeInstanceOf(ProblemError);
    expect(problem).toMatchObject({ status: 409, code: "draft.conflict", title: "Changed", detail: "elsewhere", hint: "join" });
    expect(problem.members.revision).toBe(4);
    expect(useSession.getState().signedOut).toBe(false);
  });

  it("makes a problem of a proxy's page", async () => {
    answers = [new Response("<html>too large</html>", { status: 413 })];
    expect(await settled(writeDraft())).toMatchObject({ code: "http.413", status: 413 });
  });

  it("notices that the session has ended, and that it is back", async () => {
    answers = [json(401, { code: "not_authenticated" })];
    await settled(readDraft());
    expect(useSession.getState().signedOut).toBe(true);
    await settled(readDraft());
    expect(useSession.getState().signedOut).toBe(false);
    answers = [json(403, { code: "csrf" })];
    await settled(writeDraft());
    expect(useSession.getState().signedOut).toBe(true);
  });

  it("does not take a role that does not suffice for an ended session", async () => {
    answers = [json(403, { code: "forbidden" })];
    await settled(writeDraft());
    expect(useSession.getState().signedOut).toBe(false);
  });

  it("stops when nobody waits any more", async () => {
    const closing = new AbortController();
    answers = [new TypeError("network")];
    const read = take(api.GET("/api/v1/drafts/{id}/", { params: { path: { id: "d1" } }, signal: closing.signal }));
    const caught = read.catch((error: Error) => error);
    await vi.advanceTimersByTimeAsync(10);
    closing.abort();
    expect(await caught).not.toBeInstanceOf(Unreachable);
    expect(sent).toHaveLength(1);
  });

  it("follows a list to its end", async () => {
    answers = [
      json(200, { results: [{ id: "a" }], next: "http://x/api/v1/clouds/?cursor=two" }),
      json(200, { results: [{ id: "b" }], next: null }),
    ];
    const rows = takeAll((cursor) => api.GET("/api/v1/clouds/", { params: { query: { cursor } } }));
    expect(await settled(rows)).toEqual([{ id: "a" }, { id: "b" }]);
    expect(sent[1]?.url).toContain("cursor=two");
  });
});
