// @vitest-environment jsdom
import { act, cleanup, fireEvent, render, screen, waitFor, within } from "@testing-library/react";
import { afterEach, describe, expect, it } from "vitest";
import { parse } from "yaml";

import { CommentsPanel } from "../../src/inspector/CommentsPanel";
import { useDocument } from "../../src/store/document";
import { useView } from "../../src/store/view";

const TEXT = `services:
  web: { image: nginx }
  db: { image: postgres }
x-escale:
  canvas:
    comments:
      - { on: "service:web", text: Why nginx?, by: ada }
      - { on: "", text: Looks good, by: bob }
`;

async function open(select: string[]): Promise<void> {
  document.body.innerHTML = '<script type="application/json" id="designer-boot">{"user": "ada"}</script>';
  useDocument.getState().open(TEXT, false);
  await waitFor(() => expect(useDocument.getState().ready).toBe(true));
  useView.getState().select(select as never);
  render(<CommentsPanel />);
  await screen.findByText("Looks good");
}

async function write(text: string): Promise<unknown> {
  const before = useDocument.getState().revision;
  const field = screen.getByLabelText("Write a comment");
  fireEvent.change(field, { target: { value: text } });
  fireEvent.submit(field.closest("form")!);
  await waitFor(() => expect(useDocument.getState().revision).toBeGreaterThan(before));
  const written = parse(useDocument.getState().text) as { "x-escale": { canvas: { comments: { on?: string; text: string }[] } } };
  return written["x-escale"].canvas.comments.find((comment) => comment.text === text)?.on ?? "";
}

afterEach(cleanup);

describe("the panel of comments", () => {
  it("writes on the card that is selected, below what was said on it", async () => {
    await open(["service:web"]);
    const card = screen.getByRole("region", { name: "On web" });
    expect(within(card).getByText("Why nginx?")).toBeTruthy();
    expect(screen.getAllByText("Why nginx?")).toHaveLength(1);
    expect(await write("Because")).toBe("service:web");
  });

  it("follows the selection, and keeps what was typed for one card from another", async () => {
    await open(["service:web"]);
    fireEvent.change(screen.getByLabelText("Write a comment"), { target: { value: "for web" } });
    act(() => useView.getState().select(["service:db"]));
    expect((screen.getByLabelText("Write a comment") as HTMLTextAreaElement).value).toBe("");
    expect(await write("Which version?")).toBe("service:db");
  });

  it("writes on the whole drawing when nothing is selected, or several cards", async () => {
    await open([]);
    expect(await write("All fine")).toBe("");
    cleanup();
    await open(["service:web", "service:db"]);
    expect(await write("Both fine")).toBe("");
  });
});
