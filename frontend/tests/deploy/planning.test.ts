import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";

import type { Boot } from "../../src/app/boot";
import { extent, makePlans, paintOfPlans, type Plan, type PlanOf, startPlans, usePlans } from "../../src/deploy/planning";
import { regionsOf, targetOf, type Cloud, type Deployment, useTargets } from "../../src/deploy/targets";
import type { Drawing, DrawingNode } from "../../src/document/types";
import { useDocument } from "../../src/store/document";
import { usePaint } from "../../src/store/paint";
import { NodeIndex } from "../../src/store/problems";
import { useSync } from "../../src/store/sync";
import { useView } from "../../src/store/view";

vi.mock("../../src/workers/client", () => ({ ask: () => new Promise(() => undefined) }));
const watched = vi.hoisted(() => [] as string[]);
vi.mock("../../src/deploy/live", () => ({ watchAnew: (id: string) => Promise.resolve(void watched.push(id)) }));
const saving = vi.hoisted(() => ({ answer: { ok: true, saved: { number: 4, versionId: "v4", blueprint: { id: "b", name: "shop" }, revision: 9 } } as unknown, wishes: [] as unknown[] }));
vi.mock("../../src/store/sync", async (original) => ({
  ...(await original<object>()),
  saveVersion: (wish: unknown) => {
    saving.wishes.push(wish);
    return Promise.resolve(saving.answer);
  },
}));

const cloud = (name: string, enabled = true) => ({ id: name, name, enabled }) as unknown as Cloud;
const deployment = (id: string, region: string, on: string, state = "running") => ({ id, name: id, region, state, cloud: { id: on, name: on } }) as unknown as Deployment;
const region = (name: string, to = "") => ({ name, title: name, cloud: to });
const some = (more: object) => ({ clouds: [cloud("paris"), cloud("roubaix")], deployments: [], chosen: {}, ...more });

describe("the target of a region", () => {
  it("is the cloud that it is drawn for, when there is such a cloud and it is switched on", () => {
    expect(targetOf(region("a", "paris"), some({})).cloud).toBe("paris");
    expect(targetOf(region("a", "gone"), some({})).cloud).toBe("");
    expect(targetOf(region("a", "paris"), some({ clouds: [cloud("paris", false), cloud("x"), cloud("y")] })).cloud).toBe("");
  });

  it("is the only cloud when there is but one, and none while nobody knows", () => {
    expect(targetOf(region(""), some({ clouds: [cloud("paris")] })).cloud).toBe("paris");
    expect(targetOf(region(""), some({ clouds: null })).cloud).toBe("");
  });

  it("is what runs of it already, and that one's cloud cannot be changed", () => {
    const state = some({ deployments: [deployment("d1", "a", "roubaix"), deployment("d2", "b", "paris")] });
    expect(targetOf(region("a", "paris"), state)).toMatchObject({ deployment: "d1", cloud: "roubaix" });
    const two = some({ deployments: [deployment("d1", "a", "roubaix"), deployment("d2", "a", "paris")] });
    expect(targetOf(region("a", "paris"), two)).toMatchObject({ deployment: "", cloud: "paris" });
    expect(targetOf(region("a", "paris"), two, "d1")).toMatchObject({ deployment: "d1", cloud: "roubaix" });
  });

  it("is what was chosen, and a new deployment when that was wanted", () => {
    const state = some({ deployments: [deployment("d1", "a", "paris")], chosen: { a: { deployment: "" } } });
    expect(targetOf(region("a", "paris"), state)).toMatchObject({ deployment: "", cloud: "paris" });
    expect(targetOf(region("a", "paris"), some({ chosen: { a: { cloud: "roubaix" } } })).cloud).toBe("roubaix");
    expect(targetOf(region("a"), some({ chosen: { a: { deployment: "destroyed long ago" } } })).deployment).toBe("");
  });

  it("needs no choice when the drawing names its clouds, but for one that there is not, and for what runs already", () => {
    const [whole] = regionsOf({ nodes: [], clouds: ["roubaix", "paris"] } as unknown as Drawing);
    expect(targetOf(whole!, some({ chosen: { "": { cloud: "paris" } } }))).toMatchObject({ cloud: "roubaix", drawn: true });
    expect(targetOf(whole!, some({ clouds: [cloud("paris"), cloud("x")] }))).toMatchObject({ cloud: "", drawn: false });
    expect(targetOf(whole!, some({ deployments: [deployment("d1", "", "paris")] }))).toMatchObject({ cloud: "paris", deployment: "d1", drawn: false });
  });

  it("is asked once for a drawing without regions", () => {
    expect(regionsOf({ nodes: [] } as unknown as Drawing)).toEqual([{ name: "", title: "", cloud: "" }]);
  });
});

const change = (resource: string, kind: string, what: string, services: string[], more: object = {}) =>
  ({ resource, kind, name: resource, change: what, cause: `because of ${resource}`, details: [], destructive: false, data_loss: false, services, ...more });
const drawing = {
  name: "shop", edges: [], published: [], problems: [], lines: 1,
  nodes: [
    { id: "service:web", kind: "service", name: "web", path: ["services", "web"] }, { id: "service:db", kind: "service", name: "db", path: ["services", "db"] },
    { id: "volume:data", kind: "volume", name: "data", path: ["volumes", "data"] },
  ] as unknown as DrawingNode[],
};
const plan = (more: object = {}) => ({
  id: "p1", blocked: false, empty: false, deployment: null, deployment_name: "shop", data_loss: ["data"],
  services: { web: { change: "create" }, db: { change: "keep" }, far: { change: null } },
  changes: [
    change("machine:front", "machine", "create", ["web"]), change("machine:host-1", "machine", "replace", ["db"]),
    change("volume:data", "volume", "delete", ["db"], { data_loss: true }), change("machine:host-2", "machine", "keep", ["web"]),
  ],
  ...more,
}) as unknown as Plan;

describe("the paint of a plan", () => {
  const painted = paintOfPlans([plan()], new NodeIndex(drawing));

  it("tells of each service what happens to it and why, from what it stands on", () => {
    expect(painted["service:web"]).toEqual({ change: "create", causes: ["because of machine:front"], dataLoss: false });
    expect(painted["service:db"]).toEqual({ change: "keep", causes: ["because of machine:host-1", "because of volume:data"], dataLoss: true });
  });

  it("leaves out services of other regions, and paints volumes", () => {
    expect(painted["service:far"]).toBeUndefined();
    expect(painted["volume:data"]).toMatchObject({ change: "delete", dataLoss: true });
  });
});

describe("what is started", () => {
  const of = (one: Plan | null, more: object = {}): PlanOf => ({ region: "", plan: one, error: null, started: null, ...more });

  it("counts the machines of plans that can be started", () => {
    expect(extent([of(plan()), of(plan({ deployment: "d" }))])).toEqual({ machines: 4, updates: true, dataLoss: ["data", "data"] });
    expect(extent([of(plan({ blocked: true })), of(plan({ empty: true })), of(null), of(plan(), { started: "d" })]).machines).toBe(0);
  });
});

describe("planning and starting", () => {
  const boot = { deployment: null, may: { write: true, deploy: true } } as unknown as Boot;
  let sent: { url: string; body: Record<string, unknown>; key: string | null }[] = [];
  let answers: Record<string, (body: Record<string, unknown>) => [number, unknown]> = {};

  beforeEach(() => {
    sent = [];
    watched.length = 0;
    saving.wishes.length = 0;
    usePlans.setState({ plans: [], text: null, busy: null, problem: null });
    useDocument.setState({ drawing, text: "the text", drawnText: "the text" });
    useSync.setState({ draft: "d1", blueprint: { id: "b", name: "shop" }, name: "shop" });
    useTargets.setState(some({ clouds: [cloud("paris")] }));
    answers = { "/plans/": () => [201, plan()], "/deployments/": () => [202, { id: "dep", operation: "op" }] };
    vi.stubGlobal("fetch", async (request: Request) => {
      const url = new URL(request.url).pathname.replace("/api/v1", "");
      const body = request.method === "GET" ? {} : ((await request.clone().json()) as Record<string, unknown>);
      sent.push({ url: `${request.method} ${url}`, body, key: request.headers.get("Idempotency-Key") });
      const [status, answer] = request.method === "GET" ? [200, { results: [], next: null }] : (answers[url]?.(body) ?? [404, {}]);
      return new Response(JSON.stringify(answer), { status });
    });
  });
  afterEach(() => void vi.unstubAllGlobals());

  it("saves first, plans that very version, and paints it", async () => {
    await makePlans(boot);
    expect(saving.wishes).toEqual([{ message: "Planned for paris" }]);
    expect(sent[0]).toMatchObject({ url: "POST /plans/", body: { version: "v4", cloud: "paris" } });
    expect(usePaint.getState().mode).toBe("plan");
    expect(usePaint.getState().plan["service:web"]?.change).toBe("create");
  });

  it("leaves the clouds to the portal when the drawing names them, as the command line does", async () => {
    useTargets.setState(some({}));
    useDocument.setState({ drawing: { ...drawing, clouds: ["roubaix", "paris"] } });
    await makePlans(boot);
    expect(saving.wishes).toEqual([{ message: "Planned for roubaix, paris" }]);
    expect(sent[0]?.body).toEqual({ version: "v4" });
  });

  it("plans the latest version when nothing was drawn", async () => {
    useSync.setState({ draft: null });
    await makePlans(boot);
    expect(saving.wishes).toEqual([]);
    expect(sent[0]?.body).toEqual({ blueprint: "b", cloud: "paris" });
  });

  it("asks for a name before it plans a drawing that has none", async () => {
    useSync.setState({ draft: null, blueprint: null, name: "" });
    useDocument.setState({ drawing: { ...drawing, name: "" } });
    await makePlans(boot);
    expect(sent).toEqual([]);
    expect(useView.getState().dialog).toBe("save");
  });

  it("keeps one region's refusal beside the other's plan", async () => {
    useDocument.setState({ drawing: { ...drawing, nodes: [{ id: "region:a", kind: "region", name: "a", title: "A", cloud: "paris", path: [] }, { id: "region:b", kind: "region", name: "b", title: "", cloud: "paris", path: [] }] as unknown as DrawingNode[] } });
    answers["/plans/"] = ({ region: name }) => (name === "a" ? [503, { code: "cloud.not_ready" }] : [201, plan()]);
    await makePlans(boot);
    const { plans } = usePlans.getState();
    expect(plans.map(({ region: name, plan: made, error }) => [name, made !== null, error !== null])).toEqual([["a", false, true], ["b", true, false]]);
  });

  it("starts with the loss of data accepted only where it was confirmed, and watches", async () => {
    await makePlans(boot);
    await startPlans(true);
    expect(sent.find(({ url }) => url === "POST /deployments/")?.body).toEqual({ plan: "p1", accept_data_loss: true });
    expect(watched).toEqual(["dep"]);
    expect(usePaint.getState().mode).toBe("live");
    expect(useView.getState().panel).toBe("live");
  });

  it("sends a start whose answer was lost again under the same key", async () => {
    await makePlans(boot);
    answers["/deployments/"] = () => [503, {}];
    await startPlans(false);
    expect(usePlans.getState().plans[0]?.error).not.toBeNull();
    answers["/deployments/"] = () => [202, { id: "dep" }];
    await startPlans(false);
    const keys = sent.filter(({ url }) => url === "POST /deployments/").map(({ key }) => key);
    expect(keys).toHaveLength(2);
    expect(keys[0]).toBe(keys[1]);
  });
});
