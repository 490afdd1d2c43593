// @vitest-environment jsdom
import { readFileSync } from "node:fs";

import { cleanup, fireEvent, render, screen, waitFor } from "@testing-library/react";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";

import { actions, isEnabled, registerActions } from "../../src/app/actions";
import { CommandPalette } from "../../src/app/CommandPalette";
import { EDGE_ICONS, ICONS } from "../../src/app/kinds";
import { installKeys, matches, showKeys, turnSingleKeys } from "../../src/app/keys";
import { rank } from "../../src/app/rank";
import { RemoveDialog } from "../../src/app/RemoveDialog";
import { RenameDialog } from "../../src/app/RenameDialog";
import { Shortcuts } from "../../src/app/Shortcuts";
import { Tour, TOUR_KEY } from "../../src/app/Tour";
import { en } from "../../src/i18n/en";
import { fr } from "../../src/i18n/fr";
import { useDocument } from "../../src/store/document";
import { useView } from "../../src/store/view";

const TEXT = "services:\n  web:\n    image: nginx\n    depends_on: [db]\n  db:\n    image: postgres\n";

async function open(text: string, readOnly = false): Promise<void> {
  useDocument.getState().open(text, readOnly);
  await waitFor(() => expect(useDocument.getState().ready).toBe(true));
  useView.setState({ selection: [], selectedEdges: [], dialog: null });
}

const press = (keys: Partial<KeyboardEventInit> & { key: string }, target: Element = document.body) => fireEvent.keyDown(target, keys);

Element.prototype.scrollIntoView ??= () => undefined; // jsdom lays nothing out

beforeEach(() => open(TEXT));
afterEach(() => {
  cleanup();
  vi.restoreAllMocks();
});

describe("the table of actions", () => {
  it("has words in both languages for all of them", () => {
    const missing = actions().filter(({ label }) => !(label in en) || !(label in fr)).map(({ id }) => id);
    expect(missing).toEqual([]);
  });

  it("has icons that are in the portal's sprite", () => {
    const sprite = readFileSync(new URL("../../../static/icons.svg", `file://${import.meta.filename}`), "utf8");
    const wanted = [...actions().map(({ icon }) => icon ?? "command"), ...Object.values(ICONS), ...Object.values(EDGE_ICONS)];
    expect(wanted.filter((icon) => !sprite.includes(`id="${icon}"`))).toEqual([]);
  });

  it("gives no two actions the same keys", () => {
    const keys = actions().flatMap((action) => action.keys ?? []);
    expect(keys.filter((each, at) => keys.indexOf(each) !== at)).toEqual([]);
  });

  it("offers what writes only to those who may", async () => {
    const remove = actions().find(({ id }) => id === "remove")!;
    useView.getState().select(["service:web"]);
    expect(isEnabled(remove)).toBe(true);
    await open(TEXT, true);
    useView.getState().select(["service:web"]);
    expect(isEnabled(remove)).toBe(false);
  });

  it("takes actions of other areas and gives them up again", () => {
    const stop = registerActions([{ id: "mine", label: "action.print", group: "view", perform: () => undefined }]);
    expect(actions().some(({ id }) => id === "mine")).toBe(true);
    stop();
    expect(actions().some(({ id }) => id === "mine")).toBe(false);
  });
});

describe("keys", () => {
  it("are matched as they are meant", () => {
    const event = (init: KeyboardEventInit) => new KeyboardEvent("keydown", init);
    expect(matches(event({ key: "Z", ctrlKey: true, shiftKey: true }), "Mod+Shift+Z")).toBe(true);
    expect(matches(event({ key: "z", ctrlKey: true }), "Mod+Shift+Z")).toBe(false);
    expect(matches(event({ key: "?", shiftKey: true }), "?")).toBe(true);
    expect(matches(event({ key: "+", shiftKey: true }), "+")).toBe(true);
    expect(matches(event({ key: "c", ctrlKey: true }), "C")).toBe(false);
    expect(showKeys("Mod+Shift+Z")).toBe("Ctrl Shift Z");
  });

  it("act on the canvas and not in fields, in dialogs, or when something else took them", () => {
    const stop = installKeys();
    render(<input aria-label="field" />);
    useView.getState().select(["service:web"]);
    press({ key: "Delete" }, screen.getByLabelText("field"));
    expect(useView.getState().dialog).toBeNull();
    press({ key: "k", ctrlKey: true }, screen.getByLabelText("field"));
    expect(useView.getState().dialog).toBe("commands");
    useView.getState().set({ dialog: null });
    press({ key: "Delete" });
    expect(useView.getState().dialog).toBe("remove");
    useView.getState().set({ dialog: null });
    stop();
    press({ key: "Delete" });
    expect(useView.getState().dialog).toBeNull();
  });
});

describe("the command palette", () => {
  it("finds a command by words and accents, and does it by Enter", async () => {
    useView.getState().set({ dialog: "commands" });
    render(<CommandPalette />);
    const field = screen.getByRole("combobox");
    fireEvent.change(field, { target: { value: "keyb" } });
    fireEvent.keyDown(field, { key: "Enter" });
    await waitFor(() => expect(useView.getState().dialog).toBe("shortcuts"));
  });

  it("goes to a card by its name", async () => {
    useView.getState().set({ dialog: "commands" });
    render(<CommandPalette />);
    const field = screen.getByRole("combobox");
    fireEvent.change(field, { target: { value: "db" } });
    const chosen = screen.getAllByRole("option").find((option) => option.getAttribute("aria-selected") === "true");
    expect(chosen?.textContent).toContain("db");
    expect(field.getAttribute("aria-activedescendant")).toBe(chosen?.id);
    fireEvent.keyDown(field, { key: "Enter" });
    await waitFor(() => expect(useView.getState().selection).toEqual(["service:db"]));
  });

  it("ranks what begins with the words first", () => {
    expect(rank(["unfit", "Fit", "Zoom to fit", "créer"], "fit", (text) => text)).toEqual(["Fit", "Zoom to fit", "unfit"]);
    expect(rank(["Créer un réseau"], "creer res", (text) => text)).toHaveLength(1);
  });
});

describe("dialogs", () => {
  it("tell what a removal takes along before it happens, and do nothing when left", async () => {
    useView.getState().select(["service:db"]);
    useView.getState().set({ dialog: "remove" });
    render(<RemoveDialog />);
    expect(screen.getByText("Delete db?")).toBeTruthy();
    expect(document.querySelectorAll(".d-along li").length).toBeGreaterThan(0);
    fireEvent.click(screen.getByText("Cancel"));
    expect(useDocument.getState().text).toBe(TEXT);
    useView.getState().set({ dialog: "remove" });
    await screen.findByText("Delete db?");
    fireEvent.submit(document.querySelector("form")!);
    await waitFor(() => expect(useDocument.getState().drawing.nodes.some((node) => node.id === "service:db")).toBe(false));
    expect(useDocument.getState().text).not.toContain("depends_on");
  });

  it("remove at once what nothing depends on", async () => {
    useView.getState().select(["service:web"]);
    useView.getState().set({ dialog: "remove" });
    render(<RemoveDialog />);
    await waitFor(() => expect(useDocument.getState().drawing.nodes.some((node) => node.id === "service:web")).toBe(false));
    expect(useView.getState().dialog).toBeNull();
  });

  it("rename everywhere, and say beside the field why not", async () => {
    useView.getState().select(["service:db"]);
    useView.getState().set({ dialog: "rename" });
    render(<RenameDialog />);
    fireEvent.change(screen.getByLabelText("New name"), { target: { value: "web" } });
    fireEvent.submit(document.querySelector("form")!);
    expect(await screen.findByRole("alert")).toBeTruthy();
    expect(useDocument.getState().text).toBe(TEXT);
    fireEvent.change(screen.getByLabelText("New name"), { target: { value: "data" } });
    fireEvent.submit(document.querySelector("form")!);
    await waitFor(() => expect(useDocument.getState().text).toContain("depends_on: [data]"));
    expect(useView.getState().selection).toEqual(["service:data"]);
  });

  it("list every shortcut of the table", () => {
    useView.getState().set({ dialog: "shortcuts" });
    render(<Shortcuts />);
    const shown = [...document.querySelectorAll("kbd")].map((key) => key.textContent);
    for (const action of actions()) for (const keys of action.keys ?? []) expect(shown).toContain(showKeys(keys));
  });

  it("turn off the keys that are pressed without Ctrl, and leave the others", () => {
    useView.setState({ dialog: "shortcuts" });
    const { unmount } = render(<Shortcuts />);
    fireEvent.click(screen.getByLabelText(/pressed without Ctrl/));
    const shown = [...document.querySelectorAll("section:not(:last-of-type) kbd")].map((key) => key.textContent);
    expect(shown.filter((keys) => keys?.length === 1)).toEqual([]);
    expect(shown).toContain("Ctrl Z");
    unmount();
    useView.setState({ dialog: null, showYaml: true });
    const stop = installKeys();
    try {
      press({ key: "y" });
      expect(useView.getState().showYaml).toBe(true);
      press({ key: "k", ctrlKey: true });
      expect(useView.getState().dialog).toBe("commands");
      useView.setState({ dialog: null });
      turnSingleKeys(true);
      press({ key: "y" });
      expect(useView.getState().showYaml).toBe(false);
    } finally {
      turnSingleKeys(true);
      stop();
    }
  });

  it("stay when a mark that was begun inside ends on the backdrop, and close when that is pressed", () => {
    useView.setState({ dialog: "shortcuts" });
    render(<Shortcuts />);
    const dialog = document.querySelector("dialog")!;
    fireEvent.pointerDown(screen.getAllByRole("heading", { hidden: true })[0]!);
    fireEvent.click(dialog);
    expect(useView.getState().dialog).toBe("shortcuts");
    fireEvent.pointerDown(dialog);
    fireEvent.click(dialog);
    expect(useView.getState().dialog).toBeNull();
  });

  it("show the tour once, and again when asked for", async () => {
    localStorage.removeItem(TOUR_KEY);
    const { unmount } = render(<Tour />);
    await waitFor(() => expect(useView.getState().dialog).toBe("tour"));
    fireEvent.click(screen.getByText("Skip the tour"));
    expect(useView.getState().dialog).toBeNull();
    unmount();
    render(<Tour />);
    expect(useView.getState().dialog).toBeNull();
    useView.getState().set({ dialog: "tour" });
    expect(await screen.findByText("1 of 5")).toBeTruthy();
  });
});

it("leaves the selected card alone when Del is pressed on a button beside the canvas", () => {
  const stop = installKeys();
  useView.setState({ selection: ["service:web"], dialog: null });
  document.body.insertAdjacentHTML("beforeend", `<aside class="d-panel"><button id="beside">x</button></aside>`);
  const press = (on: Element) => {
    const event = new KeyboardEvent("keydown", { key: "Delete", bubbles: true, cancelable: true });
    on.dispatchEvent(event);
    return event.defaultPrevented;
  };
  expect(press(document.getElementById("beside")!)).toBe(false);
  expect(press(document.body)).toBe(true);
  document.querySelector(".d-panel")?.remove();
  stop();
});
