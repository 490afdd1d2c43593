import { beforeEach, describe, expect, it, vi } from "vitest";

import { useDocument } from "../../src/store/document";
import { useView } from "../../src/store/view";
import { joined, pathIn, readFiles, takeDropped, useImport } from "../../src/versions/files";

vi.mock("../../src/workers/client", () => ({ ask: () => new Promise(() => undefined) }));

const file = (name: string, content: BlobPart) => new File([content], name);
const open = (text: string, readOnly = false) => useDocument.getState().open(text, readOnly);

beforeEach(() => {
  useImport.setState({ sources: [], refused: [] });
  useView.getState().set({ dialog: null, said: null });
});

describe("files", () => {
  it("are read byte by byte: mark, CR LF and emoji stay", async () => {
    const text = "\uFEFFname: 🚢\r\nservices: {}\r\n";
    expect((await readFiles([file("compose.yaml", text)])).sources).toEqual([{ name: "compose.yaml", text }]);
  });

  it("that are no text, or too large, are refused with their names", async () => {
    const { sources, refused } = await readFiles([
      file("a.bin", new Uint8Array([0xff, 0xfe, 0x00])), file("nul.yaml", "a: \0"), file("big.yaml", "x".repeat(1024 * 1024 + 1)), file("ok.yaml", "a: 1"),
    ]);
    expect(sources.map(({ name }) => name)).toEqual(["ok.yaml"]);
    expect(refused.map(({ key, params }) => [key, params?.name])).toEqual([
      ["editor.file_binary", "a.bin"], ["editor.file_binary", "nul.yaml"], ["editor.file_too_large", "big.yaml"],
    ]);
  });
});

describe("dropped files", () => {
  it("fill an empty drawing at once, as one step that can be undone", async () => {
    open("\n");
    await takeDropped([file("shop.yaml", "services: {}\n")]);
    expect(useDocument.getState().text).toBe("services: {}\n");
    expect(useView.getState().dialog).toBeNull();
    useDocument.getState().undo();
    expect(useDocument.getState().text).toBe("\n");
  });

  it("ask before they touch a drawing that has something in it", async () => {
    open("services: { web: {} }\n");
    await takeDropped([file("shop.yaml", "services: {}\n")]);
    expect(useDocument.getState().text).toBe("services: { web: {} }\n");
    expect(useView.getState().dialog).toBe("import");
    expect(useImport.getState().sources).toHaveLength(1);
  });

  it("ask when they are several", async () => {
    open("");
    await takeDropped([file("a.yaml", "a: 1"), file("b.yaml", "b: 2")]);
    expect(useDocument.getState().text).toBe("");
    expect(useView.getState().dialog).toBe("import");
  });

  it("say why none of them was taken, and do nothing to what is read only", async () => {
    open("");
    await takeDropped([file("photo.png", new Uint8Array([0x89, 0x50, 0xff]))]);
    expect(useView.getState().said).toMatchObject({ tone: "refused", message: { key: "editor.file_binary" } });
    open("a: 1", true);
    await takeDropped([file("b.yaml", "b: 2")]);
    expect(useDocument.getState().text).toBe("a: 1");
  });
});

describe("several files", () => {
  it("are merged by the server in their order, one is taken as it is", async () => {
    const bodies: unknown[] = [];
    vi.stubGlobal("fetch", async (request: Request) => {
      bodies.push(await request.json());
      return new Response(JSON.stringify({ compose: "merged", findings: [] }));
    });
    expect(await joined([{ name: "a", text: "# kept\n" }])).toBe("# kept\n");
    expect(await joined([{ name: "a", text: "1" }, { name: "b", text: "2" }])).toBe("merged");
    expect(bodies).toEqual([{ files: [{ name: "a", compose: "1" }, { name: "b", compose: "2" }] }]);
    vi.unstubAllGlobals();
  });
});

describe("the path of a dropped file", () => {
  it.each([
    ["./conf/nginx.conf:/etc/nginx/nginx.conf", "conf/nginx.conf"],
    ["file: deploy/app/nginx.conf", "deploy/app/nginx.conf"],
    ["- ../other/nginx.conf", "../other/nginx.conf"],
    ["conf/nginx.conf.bak and ./nginx.conf", "nginx.conf"],
    ["conf/my-nginx.conf", "nginx.conf"],
    ["no such file", "nginx.conf"],
  ])("in %j is %s", (text, path) => expect(pathIn(text, "nginx.conf")).toBe(path));

  it("is found, or not, in a megabyte of one word without making the page stand still", () => {
    const word = "a".repeat(1_000_000);
    const start = process.cpuUsage().user;
    expect(pathIn(`key: ${word}`, "nginx.conf")).toBe("nginx.conf");
    expect(pathIn(`${word}\n- ./conf/nginx.conf`, "nginx.conf")).toBe("conf/nginx.conf");
    expect(process.cpuUsage().user - start).toBeLessThan(1_000_000);
  });
});
