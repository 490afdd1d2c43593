/** Files that leave the page. */
import { useCanvas } from "../canvas/state";
import { follow } from "../canvas/places";
import { useDocument } from "../store/document";
import { useView } from "../store/view";
import { sizeOf, toSvg, type SvgOptions } from "./svg";

/** Browsers refuse larger canvases, some at 16,384 pixels a side, phones earlier. */
const MOST_PIXELS = 8_192;
const SHARP = 2;

export type Format = "compose" | "svg" | "png";

/** Return the drawing as it stands as SVG, laid out also when the canvas is not on the page. */
export function currentSvg(options: SvgOptions = {}): string {
  const { drawing } = useDocument.getState();
  if (useCanvas.getState().drawing === null || useCanvas.getState().geometry.key === "") follow(drawing);
  const { geometry, drawing: shown } = useCanvas.getState();
  return toSvg(shown ?? drawing, geometry, { layers: useView.getState().layers, ...options });
}

/** Return a picture of an SVG document at twice its size, smaller when it would pass 8,192 pixels a side. */
export async function toPng(svg: string): Promise<Blob> {
  const { width, height } = sizeOf(svg);
  const scale = pngScale(width, height);
  // Not a data: address, which some browsers cut, and not an inline SVG, whose images would be fetched.
  const address = URL.createObjectURL(new Blob([svg], { type: "image/svg+xml" }));
  try {
    const image = new Image();
    image.src = address;
    await image.decode();
    const canvas = document.createElement("canvas");
    canvas.width = Math.max(1, Math.floor(width * scale));
    canvas.height = Math.max(1, Math.floor(height * scale));
    const paint = canvas.getContext("2d");
    if (!paint) throw new Error("no canvas");
    paint.drawImage(image, 0, 0, canvas.width, canvas.height);
    const blob = await new Promise<Blob | null>((resolve) => canvas.toBlob(resolve, "image/png"));
    if (!blob) throw new Error("the picture is too large");
    return blob;
  } finally {
    URL.revokeObjectURL(address);
  }
}

export function pngScale(width: number, height: number): number {
  return Math.min(SHARP, MOST_PIXELS / Math.max(width, height, 1));
}

/** Save the drawing as a file; what cannot be done is said. */
export async function download(format: Format, title: string, options: SvgOptions = {}): Promise<void> {
  const name = `${fileName(title)}.${format === "compose" ? "yaml" : format}`;
  const { say } = useView.getState();
  try {
    if (format === "compose") save(new Blob([useDocument.getState().text], { type: "application/yaml" }), name);
    else {
      const svg = currentSvg({ title, ...options });
      save(format === "svg" ? new Blob([svg], { type: "image/svg+xml" }) : await toPng(svg), name);
    }
    say({ key: "canvas.exported", params: { name } });
  } catch {
    say({ key: "canvas.too_large" }, "refused");
  }
}

/** Return a title as a name that every file system takes. */
export function fileName(title: string): string {
  const plain = title.normalize("NFKD").replace(/[\u0300-\u036f]/g, "").replace(/[^A-Za-z0-9._-]+/g, "-");
  return plain.replace(/^[-.]+|[-.]+$/g, "").slice(0, 80) || "compose";
}

function save(blob: Blob, name: string): void {
  const address = URL.createObjectURL(blob);
  const link = document.createElement("a");
  link.href = address;
  link.download = name;
  link.click();
  // The browser reads the address only after this task.
  setTimeout(() => URL.revokeObjectURL(address), 10_000);
}
