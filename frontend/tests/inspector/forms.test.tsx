// @vitest-environment jsdom
import { act, cleanup, fireEvent, render, screen, waitFor, within } from "@testing-library/react";
import { afterEach, beforeEach, describe, expect, it } from "vitest";

import { Inspector, registerInspectorSection, inspectorSections } from "../../src/inspector/Inspector";
import { useDocument } from "../../src/store/document";
import { usePaint } from "../../src/store/paint";
import { useView } from "../../src/store/view";

const TEXT = `# a shop
services:
  web:
    image: nginx   # the front
    ports:
      - "8080:80"
      - 443:443
    environment:
      - A=1
      - B=2
    depends_on: [db]
  db:
    image: postgres
    environment:
      POSTGRES_DB: shop
      POSTGRES_PORT: 5432
    volumes:
      - data:/var/lib/postgresql/data
    deploy:
      replicas: 2
volumes:
  data:
x-escale:
  machines:
    front: { cpus: 2 }
`;

async function open(text: string, select: string[], readOnly = false): Promise<void> {
  useDocument.getState().open(text, readOnly);
  await waitFor(() => expect(useDocument.getState().ready).toBe(true));
  useView.getState().select(select as never);
  render(<Inspector />);
  await waitFor(() => expect(document.querySelector(".skeleton")).toBeNull());
}

/** Commit a text in a field, as typing and Enter do. */
async function type(field: HTMLElement, text: string): Promise<void> {
  const before = useDocument.getState().revision;
  fireEvent.change(field, { target: { value: text } });
  fireEvent.keyDown(field, { key: "Enter" });
  await waitFor(() => expect(useDocument.getState().revision).toBeGreaterThan(before));
}

function changedLines(before: string, after: string): string[] {
  const old = new Set(before.split("\n"));
  return after.split("\n").filter((line) => !old.has(line));
}

beforeEach(() => usePaint.setState({ problems: {}, loose: [] }));
afterEach(cleanup);

describe("the inspector of a service", () => {
  it("changes one line when one port is changed", async () => {
    await open(TEXT, ["service:web"]);
    await type(screen.getByLabelText("Published side of 8080:80"), "9090");
    const after = useDocument.getState().text;
    expect(changedLines(TEXT, after)).toEqual(['      - "9090:80"']);
    expect(after.split("\n").length).toBe(TEXT.split("\n").length);
  });

  it("keeps a list of variables a list, and a map a map", async () => {
    await open(TEXT, ["service:web"]);
    await type(screen.getByLabelText("Value of A"), "x y");
    expect(changedLines(TEXT, useDocument.getState().text)).toEqual(["      - A=x y"]);
    cleanup();
    await open(TEXT, ["service:db"]);
    await type(screen.getByLabelText("Value of POSTGRES_PORT"), "5433");
    expect(changedLines(TEXT, useDocument.getState().text)).toEqual(["      POSTGRES_PORT: 5433"]);
    await type(screen.getByDisplayValue("POSTGRES_DB"), "PG_DB");
    expect(useDocument.getState().text).toContain("      PG_DB: shop\n");
  });

  it("refuses a name that is there twice, beside the field", async () => {
    await open(TEXT, ["service:web"]);
    const field = screen.getByDisplayValue("B");
    fireEvent.change(field, { target: { value: "A" } });
    fireEvent.keyDown(field, { key: "Enter" });
    expect((await screen.findByRole("alert")).textContent).toContain("A is there already");
    expect(useDocument.getState().text).toBe(TEXT);
    fireEvent.keyDown(field, { key: "Escape" });
    expect(screen.queryByRole("alert")).toBeNull();
    expect(screen.getByDisplayValue("B")).toBe(field);
  });

  it("makes the list of dependencies a map when a condition is chosen", async () => {
    await open(TEXT, ["service:web"]);
    fireEvent.change(screen.getByLabelText("What is waited for of db"), { target: { value: "service_healthy" } });
    await waitFor(() => expect(useDocument.getState().text).toContain("depends_on: { db: { condition: service_healthy } }\n"));
    expect(useDocument.getState().text).toContain("image: nginx   # the front");
  });

  it("removes the key with its last item", async () => {
    await open(TEXT, ["service:db"]);
    fireEvent.click(screen.getByLabelText("Remove data:/var/lib/postgresql/data"));
    await waitFor(() => expect(useDocument.getState().text).not.toContain("/var/lib/postgresql"));
    expect(useDocument.getState().text).not.toMatch(/^ {4}volumes:/m);
  });

  it("places a service on a cloud, and keeps the label that its place asks for", async () => {
    await open(TEXT, ["service:db"]);
    await type(screen.getByLabelText("Cloud"), "roubaix");
    expect(useDocument.getState().text).toMatch(/place: roubaix\n/);
    cleanup();
    const labelled = "services:\n  web:\n    image: nginx\n    x-escale: { place: { cloud: paris, label: required } }\n";
    await open(labelled, ["service:web"]);
    await type(screen.getByLabelText("Cloud"), "oregon");
    expect(useDocument.getState().text).toBe(labelled.replace("paris", "oregon"));
  });

  it("adds parents that are missing", async () => {
    await open(TEXT, ["service:db"]);
    await type(screen.getByLabelText("Interval"), "10s");
    expect(useDocument.getState().text).toMatch(/ {4}healthcheck:\n {6}interval: 10s\n/);
  });

  it("refuses a port that cannot be one and changes nothing", async () => {
    await open(TEXT, ["service:web"]);
    const field = screen.getByLabelText("Container side of 443:443");
    fireEvent.change(field, { target: { value: "70000" } });
    fireEvent.blur(field);
    expect((await screen.findByRole("alert")).textContent).toContain("65535");
    expect(useDocument.getState().text).toBe(TEXT);
  });

  it("moves a service into a machine", async () => {
    await open(TEXT, ["service:web"]);
    fireEvent.change(screen.getByLabelText("Machine"), { target: { value: "front" } });
    await waitFor(() => expect(useDocument.getState().drawing.nodes.find((node) => node.id === "service:web")?.parent).toBe("machine:front"));
  });

  it("edits everything else as YAML in place, and says when that is broken", async () => {
    await open(TEXT, ["service:db"]);
    const area = screen.getByLabelText("YAML of db");
    fireEvent.change(area, { target: { value: "image: [" } });
    fireEvent.click(screen.getByText("Apply"));
    expect(await screen.findByRole("alert")).toBeTruthy();
    expect(useDocument.getState().text).toBe(TEXT);
    fireEvent.change(area, { target: { value: "image: postgres:17\nshm_size: 64m" } });
    fireEvent.click(screen.getByText("Apply"));
    await waitFor(() => expect(useDocument.getState().text).toContain("    shm_size: 64m\n"));
    await waitFor(() => expect(screen.queryByRole("alert")).toBeNull()); // told when the change has come back
  });

  it("changes nothing while nothing may be changed", async () => {
    await open(TEXT, ["service:web"], true);
    expect(screen.getByDisplayValue("nginx")).toHaveProperty("readOnly", true);
    expect(screen.queryByText("Add a port")).toBeNull();
    expect(screen.queryByLabelText("Delete")).toBeNull();
  });

  it("shows names from the file as text", async () => {
    await open('services:\n  web:\n    image: "<img src=x onerror=alert(1)>"\n', ["service:web"]);
    expect(document.querySelector("img")).toBeNull();
    expect(screen.getByDisplayValue("<img src=x onerror=alert(1)>")).toBeTruthy();
  });
});

describe("findings", () => {
  it("stand on top, worst first, with a mend that one click makes", async () => {
    const fix = { title: "Give it 4 CPUs", edits: [{ path: ["x-escale", "machines", "front", "cpus"], op: "set" as const, value: 4 }] };
    const problem = { code: "x", path: [], source: "server" as const };
    usePaint.setState({
      problems: { "machine:front": [{ ...problem, severity: "warning", text: "second" }, { ...problem, severity: "error", text: "first", fixes: [fix] }] },
    });
    await open(TEXT, ["machine:front"]);
    const all = within(screen.getByRole("group", { name: "Problems" })).getAllByText(/first|second/).map((each) => each.textContent);
    expect(all).toEqual(["Error: first", "Warning: second"]);
    fireEvent.click(screen.getByText("Give it 4 CPUs"));
    await waitFor(() => expect(useDocument.getState().text).toContain("front: { cpus: 4 }"));
  });
});

describe("comments", () => {
  it("are written on the selected node and resolved", async () => {
    await open(TEXT, ["machine:front"]);
    fireEvent.change(screen.getByLabelText("Write a comment"), { target: { value: "Large enough?" } });
    fireEvent.click(screen.getByText("Comment"));
    await waitFor(() => expect(screen.getByText("Large enough?")).toBeTruthy());
    fireEvent.click(screen.getByLabelText("Mark as resolved"));
    await waitFor(() => expect(useDocument.getState().text).toMatch(/resolved: true/));
  });
});

describe("a choice that is refused", () => {
  it.each([["a condition", () => screen.getByLabelText("Condition"), "service_healthy", "edge"], ["a policy", () => screen.getByLabelText("Restart"), "always", "service:db"]] as const)(
    "is said aloud: %s has no room for it beside it", async (_, field, value, selected) => {
      const { run } = useDocument.getState();
      const text = TEXT.replace("depends_on: [db]", "depends_on: { db: { condition: service_started } }");
      await open(text, selected === "edge" ? [] : [selected]);
      if (selected === "edge") act(() => useView.getState().select([], [useDocument.getState().drawing.edges.find(({ kind }) => kind === "depends_on")!.id]));
      useDocument.setState({ run: () => Promise.resolve({ ok: false, refused: { key: "document.busy" } }) });
      try {
        await waitFor(field);
        fireEvent.change(field(), { target: { value } });
        await waitFor(() => expect(useView.getState().said).toMatchObject({ tone: "refused", message: expect.stringContaining("Nothing was done") }));
      } finally {
        useDocument.setState({ run });
        useView.setState({ said: null });
      }
    },
  );
});

describe("other selections", () => {
  it("are facts of the drawing when nothing is selected", async () => {
    await open(TEXT, []);
    const facts = screen.getByText("Services").closest("div");
    expect(facts?.textContent).toContain("2");
    await type(screen.getByLabelText("Name in the file"), "shop");
    expect(useDocument.getState().text).toContain("name: shop");
  });

  it("are what can be done with all of them when there are several", async () => {
    await open(TEXT, ["service:web", "service:db"]);
    expect(screen.getByText("2 selected")).toBeTruthy();
    fireEvent.click(screen.getByText("Put into a group"));
    expect(useView.getState().dialog).toBe("group");
    useView.getState().set({ dialog: null });
  });

  it("have what other areas add to them", async () => {
    registerInspectorSection({ id: "logs", kinds: ["service"], position: "top", Component: ({ node }) => <p>Logs of {node.name}</p> });
    await open(TEXT, ["service:web"]);
    expect(screen.getByText("Logs of web")).toBeTruthy();
    cleanup();
    await open(TEXT, ["machine:front"]);
    expect(screen.queryByText(/Logs of/)).toBeNull();
    inspectorSections.length = 0;
  });
});
