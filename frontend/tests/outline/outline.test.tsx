// @vitest-environment jsdom
import { cleanup, fireEvent, render, screen, waitFor } from "@testing-library/react";
import { afterEach, describe, expect, it } from "vitest";

import type { Drawing, ServiceNode } from "../../src/document/types";
import { ConnectDialog } from "../../src/outline/ConnectDialog";
import { Outline } from "../../src/outline/Outline";
import { outline, typedAhead } from "../../src/outline/rows";
import { useDocument } from "../../src/store/document";
import { useView } from "../../src/store/view";

const TEXT = `services:
  web:
    image: nginx
    ports: ["80:80"]
    depends_on: [db]
    x-escale: { machine: front }
  db:
    image: postgres
    volumes: [data:/data]
volumes:
  data:
networks:
  back:
x-escale:
  regions:
    paris:
  machines:
    front: { region: paris }
`;
const NONE: ReadonlySet<string> = new Set();

async function open(text: string): Promise<void> {
  useDocument.getState().open(text, false);
  await waitFor(() => expect(useDocument.getState().ready).toBe(true));
  useView.setState({ selection: [], selectedEdges: [], dialog: null });
}

function service(name: string, parent: string | null = null): ServiceNode {
  return {
    id: `service:${name}`, name, path: ["services", name], span: { from: 0, to: 0 }, parent: parent as never, at: null, size: null, comments: [],
    kind: "service", image: "", build: false, icon: "box", replicas: 1, cpus: "", memory: "", ports: [], health: "none", profiles: [], restart: "", volumes: 0,
  };
}

afterEach(cleanup);

describe("the lines of the outline", () => {
  it("reach every node, in the groups that they are in", async () => {
    await open(TEXT);
    const { drawing } = useDocument.getState();
    const rows = outline(drawing, NONE, new Set(["service:web", "service:db"]), (kind) => kind);
    for (const node of drawing.nodes) expect(rows.some((row) => row.type === "node" && row.node === node.id), node.id).toBe(true);
    const of = (key: string) => rows.find((row) => row.key === key);
    expect(of("region:paris")?.level).toBe(1);
    expect(of("machine:front")).toMatchObject({ level: 2, parent: "region:paris" });
    expect(of("service:web")).toMatchObject({ level: 3, parent: "machine:front" });
    expect(rows.filter((row) => row.parent === "service:web").map((row) => row.type)).toEqual(expect.arrayContaining(["port", "edge"]));
    for (const edge of drawing.edges) expect(rows.some((row) => row.edge === edge.id), edge.id).toBe(true);
  });

  it("reach nodes whose groups contain each other", () => {
    const drawing: Drawing = { name: "", edges: [], published: [], problems: [], lines: 0, nodes: [service("a", "service:b"), service("b", "service:a"), service("c", "machine:gone")] };
    const rows = outline(drawing, NONE, new Set(["service:a", "service:b"]), (kind) => kind);
    expect(rows.map((row) => row.node).sort()).toEqual(["service:a", "service:b", "service:c"]);
  });

  it("are found by typing, round the end", async () => {
    await open(TEXT);
    const rows = outline(useDocument.getState().drawing, NONE, NONE, (kind) => kind);
    const db = rows.findIndex((row) => row.label === "db");
    expect(typedAhead(rows, db + 1, "DB")).toBe(db);
    expect(typedAhead(rows, 0, "nothing")).toBe(-1);
  });
});

describe("the tree", () => {
  const active = () => document.activeElement?.getAttribute("aria-label") ?? "";
  const press = (key: string) => fireEvent.keyDown(document.activeElement ?? document.body, { key });

  it("has one stop, and arrows move, fold and unfold", async () => {
    await open(TEXT);
    render(<Outline />);
    const stops = screen.getAllByRole("treeitem").filter((item) => item.tabIndex === 0);
    expect(stops.length).toBe(1);
    stops[0]?.focus();
    expect(active()).toContain("paris");
    press("ArrowRight");
    expect(active()).toContain("front");
    press("End");
    press("Home");
    expect(active()).toContain("paris");
    press("ArrowLeft");
    expect(screen.queryByText("front")).toBeNull();
    press("ArrowRight");
    expect(screen.getByText("front")).toBeTruthy();
    press("d");
    expect(active()).toContain("db");
  });

  it("selects and shows by Enter, and opens what a node can be asked for", async () => {
    await open(TEXT);
    render(<Outline />);
    screen.getAllByRole("treeitem").find((item) => item.tabIndex === 0)?.focus();
    press("w"); // web
    const wishes = useView.getState().wish?.n ?? 0;
    press("Enter");
    expect(useView.getState().selection).toEqual(["service:web"]);
    expect(useView.getState().wish).toEqual({ node: "service:web", n: wishes + 1 });
    press("F2");
    expect(useView.getState().dialog).toBe("rename");
    press("Delete");
    expect(useView.getState().dialog).toBe("remove");
  });

  it("makes only the lines in sight of a large drawing, and still reaches the last one", async () => {
    const names = Array.from({ length: 900 }, (_, at) => `s${at}`);
    await open(`services:\n${names.map((name) => `  ${name}: {image: a}\n`).join("")}`);
    render(<Outline />);
    const lines = () => screen.getAllByRole("treeitem");
    expect(lines().length).toBeLessThan(120);
    lines().find((item) => item.tabIndex === 0)?.focus();
    press("End");
    const last = outline(useDocument.getState().drawing, NONE, NONE, (kind) => kind).length - 1;
    expect(last).toBeGreaterThanOrEqual(899);
    await waitFor(() => expect(document.activeElement?.getAttribute("data-index")).toBe(String(last)));
  });
});

describe("connecting without a mouse", () => {
  it("draws the chosen kind from the selected service", async () => {
    await open(TEXT);
    useView.getState().select(["service:web"]);
    useView.getState().set({ dialog: "connect" });
    render(<ConnectDialog />);
    fireEvent.change(screen.getByLabelText("How"), { target: { value: "network" } });
    fireEvent.change(screen.getByLabelText("To"), { target: { value: "network:back" } });
    fireEvent.submit(document.querySelector("form")!);
    await waitFor(() => expect(useDocument.getState().drawing.edges.some((edge) => edge.kind === "network" && edge.target === "network:back")).toBe(true));
    await waitFor(() => expect(useView.getState().dialog).toBeNull());
  });

  it("offers nothing that would be refused: neither itself, nor what is connected, nor a circle", async () => {
    await open(TEXT);
    useView.getState().select(["service:db"]);
    useView.getState().set({ dialog: "connect" });
    render(<ConnectDialog />);
    const kinds = [...(screen.getByLabelText("How") as HTMLSelectElement).options].map((option) => option.value);
    expect(kinds).not.toContain("depends_on");
    expect(kinds).toContain("network");
  });
});
