// @vitest-environment jsdom
import { cleanup, fireEvent, render, screen, waitFor } from "@testing-library/react";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { parse } from "yaml";

import { canvasApi } from "../../src/app/canvasApi";
import { addItem, freePlace } from "../../src/palette/add";
import { fits, ITEMS } from "../../src/palette/items";
import { Palette } from "../../src/palette/Palette";
import { put } from "../../src/palette/TemplatesDialog";
import { useDocument } from "../../src/store/document";
import { useView } from "../../src/store/view";

// jsdom knows no pointers.
class Pointer extends MouseEvent {
  readonly pointerId: number;
  constructor(type: string, init: PointerEventInit = {}) {
    super(type, init);
    this.pointerId = init.pointerId ?? 0;
  }
}
vi.stubGlobal("PointerEvent", Pointer);
Object.assign(window, { PointerEvent: Pointer });

const item = (id: string) => ITEMS.find((each) => each.id === id) ?? ITEMS[0]!;

async function open(text: string): Promise<void> {
  useDocument.getState().open(text, false);
  await waitFor(() => expect(useDocument.getState().ready).toBe(true));
  useView.getState().select([]);
}

beforeEach(() => open(""));
afterEach(() => {
  cleanup();
  vi.restoreAllMocks();
});

describe("what the palette adds", () => {
  it.each(ITEMS.map(({ id }) => id))("%s makes a drawing without errors of an empty page", async (id) => {
    const made = await addItem(item(id));
    const { drawing, broken } = useDocument.getState();
    expect(broken).toEqual([]);
    expect(drawing.nodes.some((node) => node.id === made)).toBe(true);
    expect(drawing.problems.filter((problem) => problem.severity === "error")).toEqual([]);
    expect(useView.getState().selection).toEqual([made]);
  });

  it.each([["postgres", "5432"], ["mariadb", "3306"], ["cache", "6379"], ["queue", "5672"], ["service", "80"]])(
    "%s declares port %s, without which callers on other machines do not reach it", async (id, port) => {
      const made = await addItem(item(id));
      const node = useDocument.getState().drawing.nodes.find((each) => each.id === made);
      const body = (parse(useDocument.getState().text) as { services: Record<string, { expose?: string[] }> }).services[node!.name];
      expect(body?.expose).toEqual([port]);
    },
  );

  it("has names of its own each time, and passwords that no two share", async () => {
    await addItem(item("postgres"));
    await addItem(item("postgres"));
    const { drawing, text } = useDocument.getState();
    expect(drawing.nodes.filter((node) => node.kind === "service").map((node) => node.name)).toEqual(["db", "db-2"]);
    expect(drawing.nodes.filter((node) => node.kind === "volume").map((node) => node.name)).toEqual(["db-data", "db-data-2"]);
    const passwords = [...text.matchAll(/DB_PASSWORD:-([0-9a-f]+)/g)].map((match) => match[1]);
    expect(new Set(passwords).size).toBe(2);
  });

  it("is one step to undo, the volume included, and is called what it is", async () => {
    await addItem(item("postgres"));
    expect(useView.getState().said?.message).toEqual({ key: "command.add", params: { name: "PostgreSQL" } });
    useDocument.getState().undo();
    expect(useDocument.getState().text).toBe("");
  });

  it("goes into the selected machine when it fits, else outwards", async () => {
    await addItem(item("region"));
    await addItem(item("machine"));
    const machine = useView.getState().selection[0];
    expect(useDocument.getState().drawing.nodes.find((node) => node.id === machine)?.parent).toBe("region:region");
    const web = await addItem(item("web"));
    const node = (id: string | null) => useDocument.getState().drawing.nodes.find((each) => each.id === id);
    expect(node(web)?.parent).toBe(machine);
    useView.getState().select([machine!]);
    const second = await addItem(item("plain"));
    expect(node(second)?.parent).toBe("region:region");
  });

  it("is counted from the group that it really goes into when it was dropped on one that does not take it", async () => {
    await open("x-escale:\n  regions: {paris: }\n  machines:\n    front: {region: paris}\n  canvas:\n    regions: {paris: [500, 0]}\n    machines: {front: [100, 60]}\n");
    const volume = await addItem(item("volume"), { parent: "machine:front", at: [10, 20] });
    const second = await addItem(item("machine"), { parent: "machine:front", at: [10, 20] });
    const node = (id: string | null) => useDocument.getState().drawing.nodes.find((each) => each.id === id);
    expect(node(volume)).toMatchObject({ parent: null, at: [610, 80] });
    expect(node(second)).toMatchObject({ parent: "region:paris", at: [110, 80] });
  });

  it("never covers what is there already", async () => {
    for (let count = 0; count < 12; count++) await addItem(item("web"));
    const places = useDocument.getState().drawing.nodes.map((node) => node.at?.join());
    expect(new Set(places).size).toBe(12);
    expect(freePlace([0, 0], [])).toEqual([0, 0]);
  });

  it("may stand where it fits", () => {
    expect(fits(item("web"), "machine")).toBe(true);
    expect(fits(item("machine"), "machine")).toBe(false);
    expect(fits(item("region"), "region")).toBe(false);
    expect(fits(item("volume"), "region")).toBe(false);
  });
});

describe("the palette", () => {
  it("finds by what a thing is made of, and adds the first by Enter", async () => {
    render(<Palette />);
    const search = screen.getByRole("searchbox");
    expect(screen.getByPlaceholderText("Find…").getAttribute("aria-label")).toBe("Find something to add");
    fireEvent.change(search, { target: { value: "rabbit" } });
    expect(screen.getAllByRole("button").filter((each) => each.classList.contains("d-tile")).map((each) => each.textContent)).toEqual(["Queue"]);
    fireEvent.keyDown(search, { key: "Enter" });
    await waitFor(() => expect(useDocument.getState().drawing.nodes.map((node) => node.id)).toContain("service:queue"));
  });

  it("drops what is dragged where the canvas says, and adds nothing beside it", async () => {
    HTMLElement.prototype.setPointerCapture = () => undefined;
    const landing = vi.spyOn(canvasApi, "dropAt").mockReturnValue({ parent: null, at: [120, 80] });
    render(<Palette />);
    const tile = screen.getByText("Network").closest("button")!;
    const drag = async (): Promise<void> => {
      fireEvent.pointerDown(tile, { clientX: 5, clientY: 5, button: 0, pointerId: 1 });
      fireEvent.pointerMove(tile, { clientX: 300, clientY: 200, pointerId: 1 });
      await waitFor(() => expect(document.querySelector(".d-ghost")).not.toBeNull());
      fireEvent.pointerUp(tile, { clientX: 300, clientY: 200, pointerId: 1 });
      fireEvent.click(tile); // what a browser sends after every press
      await new Promise((resolve) => setTimeout(resolve, 20));
    };
    await drag();
    await waitFor(() => expect(useDocument.getState().drawing.nodes.find((node) => node.id === "network:backend")?.at).toEqual([120, 80]));
    landing.mockReturnValue(null);
    const before = useDocument.getState().text;
    await drag();
    expect(useDocument.getState().text).toBe(before);
    await waitFor(() => expect(document.querySelector(".d-ghost")).toBeNull());
  });
});

describe("templates", () => {
  const template = { name: "shop", title: "Shop", description: "", compose: "# a shop\nservices:\n  web:\n    image: nginx\n", files: {} };

  it("are the whole document of an empty drawing", async () => {
    expect(await put(template, true)).toBe(true);
    expect(useDocument.getState().text).toBe(template.compose);
  });

  it("are added to what is drawn already, under names of their own", async () => {
    await open("services:\n  web:\n    image: caddy\n");
    expect(await put(template, false)).toBe(true);
    const { text, drawing } = useDocument.getState();
    expect(text).toContain("image: caddy");
    expect(drawing.nodes.filter((node) => node.kind === "service").length).toBe(2);
  });
});
