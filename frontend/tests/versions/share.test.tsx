// @vitest-environment jsdom
import { cleanup, render, screen } from "@testing-library/react";
import { afterEach, expect, test, vi } from "vitest";

import type { Boot } from "../../src/app/boot";
import { useDocument } from "../../src/store/document";
import { useSync } from "../../src/store/sync";
import { useView } from "../../src/store/view";
import { ShareDialog } from "../../src/versions/ShareDialog";

afterEach(() => {
  cleanup();
  vi.unstubAllGlobals();
});

test.each([["${DB_PASSWORD:-1daad0}", true], ["${DB_PASSWORD}", false]])("who shares a text with %s is told that it is shown: %s", async (value, told) => {
  vi.stubGlobal("fetch", async () => new Response(JSON.stringify({ results: [], next: null })));
  useDocument.getState().open(`services:\n  db:\n    image: postgres\n    environment:\n      POSTGRES_PASSWORD: ${value}\n`, false);
  useSync.setState({ blueprint: { id: "b1", name: "shop" }, baseVersion: 1 });
  useView.getState().set({ dialog: "share" });
  render(<ShareDialog boot={{ may: { write: true } } as Boot} />);
  await screen.findByRole("button", { name: /link/i });
  expect(screen.queryByText(/also passwords that are written in it/) !== null).toBe(told);
});
