// @vitest-environment jsdom
import { File } from "node:buffer"; // jsdom's own cannot be read

import { cleanup, fireEvent, render, screen, waitFor, within } from "@testing-library/react";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";

import { besidePath, MOST_BYTES, wantedFiles } from "../../src/inspector/beside";
import { Inspector } from "../../src/inspector/Inspector";
import { useDocument } from "../../src/store/document";
import { useSync } from "../../src/store/sync";
import { useView } from "../../src/store/view";

const beside = vi.hoisted(() => ({ attach: vi.fn(), detach: vi.fn() }));
vi.mock("../../src/store/sync", async (actual) => ({
  ...(await actual<typeof import("../../src/store/sync")>()), attachFiles: beside.attach, detachFile: beside.detach,
}));

const TEXT = `services:
  web:
    image: nginx
    env_file: [./web.env, { path: local.env, required: false }]
    secrets: [password]
secrets:
  password: { file: ./db/password.txt }
  token: { environment: TOKEN }
`;

async function open(select: string[], files: string[] | null, readOnly = false): Promise<void> {
  useSync.setState({ files });
  useDocument.getState().open(TEXT, readOnly);
  await waitFor(() => expect(useDocument.getState().ready).toBe(true));
  useView.getState().select(select as never);
  render(<Inspector />);
  await waitFor(() => expect(document.querySelector(".skeleton")).toBeNull());
}

async function choose(file: File): Promise<void> {
  fireEvent.change(document.querySelector("input[type=file]")!, { target: { files: [file] } });
  await new Promise((done) => setTimeout(done, 20));
}

beforeEach(() => {
  beside.attach.mockClear();
  beside.detach.mockClear();
});
afterEach(cleanup);

describe("the file of a secret", () => {
  it("is said to be missing, and is supplied by choosing a file, under the path that the text names", async () => {
    await open(["secret:password"], []);
    expect(screen.getByText(/db\/password\.txt is missing/)).toBeTruthy();
    await choose(new File(["hush"], "whatever.txt"));
    expect(beside.attach).toHaveBeenCalledWith({ "db/password.txt": "hush" });
  });

  it("is typed into a dialog, byte for byte", async () => {
    await open(["secret:password"], []);
    fireEvent.click(screen.getByRole("button", { name: "Type its content…" }));
    const dialog = screen.getByRole("dialog", { name: "db/password.txt" });
    expect((within(dialog).getByRole("button", { name: "Keep" }) as HTMLButtonElement).disabled).toBe(true);
    fireEvent.change(within(dialog).getByLabelText("Content"), { target: { value: "hush <script>\n" } });
    fireEvent.submit(dialog.querySelector("form")!);
    expect(beside.attach).toHaveBeenCalledWith({ "db/password.txt": "hush <script>\n" });
    expect(screen.queryByRole("dialog")).toBeNull();
  });

  it("is refused when it is too large or no text, with the reason", async () => {
    await open(["secret:password"], []);
    await choose(new File(["x".repeat(MOST_BYTES + 1)], "big.txt"));
    expect(useView.getState().said).toMatchObject({ tone: "refused", message: { key: "inspector.file_too_large" } });
    await choose(new File([new Uint8Array([0xff, 0xfe, 0])], "photo.bin"));
    expect(useView.getState().said).toMatchObject({ tone: "refused", message: { key: "inspector.file_no_text" } });
    expect(beside.attach).not.toHaveBeenCalled();
  });

  it("is removed again, and offers nothing of that to readers or while nobody knows what is stored", async () => {
    await open(["secret:password"], ["db/password.txt"]);
    expect(screen.getByText(/is stored beside the drawing/)).toBeTruthy();
    fireEvent.click(screen.getByRole("button", { name: "Remove the file" }));
    expect(beside.detach).toHaveBeenCalledWith("db/password.txt");
    cleanup();
    await open(["secret:password"], ["db/password.txt"], true);
    expect(screen.queryByRole("button", { name: /Choose a file/ })).toBeNull();
    cleanup();
    await open(["secret:password"], null);
    expect(screen.queryByText(/db\/password\.txt is/)).toBeNull();
  });
});

describe("the files beside the drawing", () => {
  it("are listed with those that the text names and nobody has supplied", async () => {
    await open([], ["db/password.txt", "notes.txt"]);
    const list = await screen.findByRole("list", { name: "Files beside the drawing" });
    await waitFor(() => expect(within(list).getAllByRole("listitem").map((item) => item.textContent)).toHaveLength(3));
    expect(within(list).getAllByRole("listitem")[0]!.textContent).toContain("web.envmissing");
    fireEvent.click(within(list).getByRole("button", { name: "Remove notes.txt" }));
    expect(beside.detach).toHaveBeenCalledWith("notes.txt");
  });

  it("take one more under a path that stays beside the drawing", async () => {
    await open([], []);
    fireEvent.click(screen.getByRole("button", { name: "Type a file…" }));
    const dialog = screen.getByRole("dialog");
    fireEvent.change(within(dialog).getByLabelText("Content"), { target: { value: "a" } });
    fireEvent.change(within(dialog).getByLabelText("Path"), { target: { value: "../../etc/passwd" } });
    fireEvent.submit(dialog.querySelector("form")!);
    expect(within(dialog).getByText(/This is no path beside the drawing/)).toBeTruthy();
    fireEvent.change(within(dialog).getByLabelText("Path"), { target: { value: "./conf//a.env" } });
    fireEvent.submit(dialog.querySelector("form")!);
    expect(beside.attach.mock.calls).toEqual([[{ "conf/a.env": "a" }]]);
  });

  it.each([
    ["./a/../b.txt", "b.txt"], ["a\\b.txt", "a/b.txt"], ["/etc/passwd", null], ["../x", null], ["C:/x", null], ["~/x", null],
    ["${HOME}/x", null], ["", null], [".", null], [`${"a".repeat(401)}`, null],
  ])("path %s is %s", (text, path) => expect(besidePath(text)).toBe(path));

  it("wants no file twice, and none of what is not a Compose file", () => {
    expect(wantedFiles({ a: { env_file: "x" }, b: { env_file: ["./x", 7, null] }, c: 3 }, [], { s: { file: {} } })).toEqual(["x"]);
  });
});
