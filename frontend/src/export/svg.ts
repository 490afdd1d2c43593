/** The whole drawing as one vector picture, made from the drawing itself: what the window culls is in it too. */
import { GLYPHS, type GlyphName } from "../canvas/glyphs";
import { edgeLabel, kindWord, notesOf, shortImage, titleOf } from "../canvas/words";
import type { Drawing, DrawingNode, MachineNode, NodeId, RegionNode, ServiceNode } from "../document/types";
import { t } from "../i18n";
import { absolute, isGroup, shownAs, type Geometry, type Rect } from "../layout/geometry";
import { extent, hiddenKind, outsideOf, type Layers } from "../layout/outside";
import { way } from "../layout/paths";
import { PALETTES, type Palette, type Theme } from "./palette";

export interface SvgOptions {
  theme?: Theme;
  /** Written above the drawing; nothing when empty. */
  title?: string;
  layers?: Layers;
}

const MARGIN = 36;
const TITLE = 44;
const FONT = "Inter Variable, Inter, system-ui, sans-serif";
const MONO = "JetBrains Mono Variable, JetBrains Mono, monospace";
/** Mean width of a letter as a part of the size of the font; pictures cannot measure text. */
const LETTER = { plain: 0.54, mono: 0.61 };
const ALL: Layers = { depends_on: true, network: true, volume: true, config: true, secret: true, link: true, ports: true };
const DASHES: Record<string, string> = { network: "2 4", volume: "6 3", config: "1 3", secret: "1 3", link: "9 4" };

/** Return an SVG document; names and labels of the drawing are data in it, never markup. */
export function toSvg(drawing: Drawing, geometry: Geometry, { theme = "light", title = "", layers = ALL }: SvgOptions = {}): string {
  const palette = PALETTES[theme];
  const nodes = drawing.nodes.filter((node) => geometry.boxes.has(node.id) && !hiddenKind(node.kind, layers));
  const whole = extent(drawing, geometry, layers);
  const top = title === "" ? 0 : TITLE;
  const frame = { x: whole.x - MARGIN, y: whole.y - MARGIN - top, w: whole.w + 2 * MARGIN, h: whole.h + 2 * MARGIN + top };
  const groups = nodes.filter(isGroup);
  const parts = [
    `<rect x="${frame.x}" y="${frame.y}" width="${frame.w}" height="${frame.h}" fill="${palette.page}"/>`,
    title === "" ? "" : text(frame.x + MARGIN, frame.y + MARGIN, title, { size: 20, weight: 620, fill: palette.text, room: frame.w - 2 * MARGIN }),
    ...groups.filter((node) => node.kind === "region").map((node) => group(node, box(geometry, node.id), palette)),
    ...groups.filter((node) => node.kind === "machine").map((node) => group(node, box(geometry, node.id), palette)),
    ...edges(drawing, geometry, layers, palette),
    ...nodes.filter((node) => !isGroup(node)).map((node) =>
      node.kind === "service" ? card(node, box(geometry, node.id), palette) : small(node, box(geometry, node.id), palette, notesOf(drawing).get(node.id) ?? "")),
  ];
  const name = title === "" ? t("canvas.label") : title;
  return (
    `<svg xmlns="http://www.w3.org/2000/svg" width="${frame.w}" height="${frame.h}" ` +
    `viewBox="${frame.x} ${frame.y} ${frame.w} ${frame.h}" role="img" font-family="${FONT}">` +
    `<title>${escape(name)}</title><defs><marker id="arrow" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="9" ` +
    `markerHeight="9" markerUnits="userSpaceOnUse" orient="auto"><path d="M1 1L9 5L1 9" fill="none" stroke="${palette.edge}" ` +
    `stroke-width="1.5"/></marker></defs>${parts.join("")}</svg>`
  );
}

/** Return the size of a picture in pixels. */
export function sizeOf(svg: string): { width: number; height: number } {
  const match = /<svg [^>]*width="([\d.]+)" height="([\d.]+)"/.exec(svg);
  return { width: Number(match?.[1] ?? 0), height: Number(match?.[2] ?? 0) };
}

export function escape(words: string): string {
  return words
    .replace(/[&<>"']/g, (sign) => `&#${sign.charCodeAt(0)};`)
    // XML knows no such characters, not even escaped; a lone half of a pair neither.
    // eslint-disable-next-line no-control-regex
    .replace(/[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]|[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/g, "�");
}

interface TextStyle {
  size: number;
  fill: string;
  weight?: number;
  mono?: boolean;
  anchor?: "start" | "middle" | "end";
  room?: number;
  halo?: string;
}

function text(x: number, y: number, words: string, style: TextStyle): string {
  const letters = style.room === undefined ? Infinity : Math.floor(style.room / (style.size * LETTER[style.mono ? "mono" : "plain"]));
  const characters = [...words];
  const said = characters.length > letters ? `${characters.slice(0, Math.max(1, letters - 1)).join("")}…` : words;
  const halo = style.halo ? ` stroke="${style.halo}" stroke-width="4" stroke-linejoin="round" paint-order="stroke"` : "";
  return (
    `<text x="${x}" y="${y}" font-size="${style.size}" fill="${style.fill}" font-weight="${style.weight ?? 400}"` +
    `${style.anchor ? ` text-anchor="${style.anchor}"` : ""}${style.mono ? ` font-family="${MONO}"` : ""}${halo}>${escape(said)}</text>`
  );
}

function glyph(name: GlyphName, x: number, y: number, size: number, colour: string): string {
  return (
    `<path d="${GLYPHS[name]}" transform="translate(${x} ${y}) scale(${size / 24})" fill="none" stroke="${colour}" ` +
    `stroke-width="1.75" stroke-linecap="round" stroke-linejoin="round"/>`
  );
}

function group(node: MachineNode | RegionNode, at: Rect, palette: Palette): string {
  const region = node.kind === "region";
  const facts = region
    ? node.cloud
    : [node.count > 1 ? `×${node.count}` : "", node.cpus === "" ? "" : t("canvas.cpus", { cpus: node.cpus }), node.memory, node.plain ? node.template : ""]
        .filter(Boolean).join(" · ");
  const frame = region
    ? `fill="${palette.accent}" fill-opacity="0.04" stroke="${palette.accent}" stroke-opacity="0.6" stroke-width="2" stroke-dasharray="6 5"`
    : `fill="${palette.machine}" stroke="${palette.strong}"`;
  const icon = node.kind === "machine" && node.count > 1 ? "cluster" : node.kind;
  const name = titleOf(node);
  const room = at.w - 60;
  const wide = Math.min(room, [...name].length * (region ? 10.5 : 9.5) + 14);
  return (
    `<rect x="${at.x}" y="${at.y}" width="${at.w}" height="${at.h}" rx="12" ${frame}/>` +
    glyph(icon, at.x + 14, at.y + 14, 16, region ? palette.accent : palette.soft) +
    text(at.x + 38, at.y + 27, name, { size: region ? 16 : 14, weight: 600, fill: palette.text, room }) +
    (facts !== "" && room - wide > 40 ? text(at.x + 38 + wide, at.y + 27, facts, { size: 12, fill: palette.soft, room: room - wide }) : "")
  );
}

function card(node: ServiceNode, at: Rect, palette: Palette): string {
  const hue = palette.hues[node.icon];
  const image = node.image !== "" ? shortImage(node.image) : t(node.build ? "canvas.built_here" : "canvas.no_image");
  const size = [node.cpus === "" ? "" : t("canvas.cpus", { cpus: node.cpus }), node.memory].filter(Boolean).join(" · ");
  const ports = node.ports.map(({ published, target }) => (published === "" ? target : `${published}→${target}`));
  const foot = [t(node.build ? "canvas.format.build" : "canvas.format.image"), ...ports].join("  ·  ");
  const room = at.w - 28;
  return (
    `<rect x="${at.x}" y="${at.y}" width="${at.w}" height="${at.h}" rx="8" fill="${palette.card}" stroke="${palette.strong}"/>` +
    `<path d="M${at.x + 4} ${at.y}h-1a3 8 0 0 0 -3 8v${at.h - 16}a3 8 0 0 0 3 8h1z" fill="${hue}"/>` +
    glyph(node.icon, at.x + 14, at.y + 13, 16, hue) +
    text(at.x + 36, at.y + 26, node.name, { size: 14, weight: 600, fill: palette.text, room: room - 22 }) +
    text(at.x + 14, at.y + 49, image, { size: 11.5, mono: true, fill: palette.soft, room }) +
    text(at.x + 14, at.y + 69, `×${node.replicas}`, { size: 12, fill: palette.text }) +
    text(at.x + at.w - 12, at.y + 69, size, { size: 12, fill: palette.text, anchor: "end", room: room - 40 }) +
    text(at.x + 14, at.y + at.h - 14, foot, { size: 11, fill: palette.soft, room })
  );
}

function small(node: DrawingNode, at: Rect, palette: Palette, note: string): string {
  if (node.kind === "service" || isGroup(node)) return "";
  const facts = [kindWord(node.kind), note, node.kind === "volume" ? node.capacity : ""].filter(Boolean).join(" · ");
  const dashed = node.kind === "network" ? ` stroke-dasharray="4 3"` : "";
  return (
    `<rect x="${at.x}" y="${at.y}" width="${at.w}" height="${at.h}" rx="${at.h / 2}" fill="${palette.card}" stroke="${palette.strong}"${dashed}/>` +
    glyph(node.kind, at.x + 12, at.y + at.h / 2 - 8, 16, palette.soft) +
    text(at.x + 38, at.y + at.h / 2 - 3, node.name, { size: 12, weight: 600, fill: palette.text, room: at.w - 52 }) +
    text(at.x + 38, at.y + at.h / 2 + 12, facts, { size: 11, fill: palette.soft, room: at.w - 52 })
  );
}

function edges(drawing: Drawing, geometry: Geometry, layers: Layers, palette: Palette): string[] {
  const lines: string[] = [];
  const labels: string[] = [];
  const line = (from: Rect, to: Rect, label: string, dash: string | undefined, colour: string) => {
    const { d, x, y, hangs } = way(from, to);
    lines.push(
      `<path d="${d}" fill="none" stroke="${colour}" stroke-width="1.5"${dash ? ` stroke-dasharray="${dash}"` : ""} marker-end="url(#arrow)"/>`,
    );
    if (label !== "" && !hangs)
      labels.push(text(x, y + 4, label, { size: 11, weight: 500, fill: palette.soft, anchor: "middle", halo: palette.page, room: 170 }));
  };
  const seen = new Set<string>();
  for (const edge of drawing.edges) {
    const source = shownAs(geometry, edge.source);
    const target = shownAs(geometry, edge.target);
    if (!layers[edge.kind] || source === null || target === null || source === target) continue;
    const folded = source !== edge.source || target !== edge.target;
    const key = `${source}>${target}`;
    if (folded && seen.has(key)) continue;
    seen.add(key);
    line(box(geometry, source), box(geometry, target), folded || notesOf(drawing).get(edge.target) ? "" : edgeLabel(edge), DASHES[edge.kind], palette.edge);
  }
  const outside = layers.ports ? outsideOf(drawing, geometry) : null;
  if (outside) {
    const reached = new Map<NodeId, Set<string>>();
    for (const { service, port } of drawing.published)
      if (geometry.boxes.has(service)) reached.set(service, (reached.get(service) ?? new Set()).add(port.published || port.target));
    for (const [service, ports] of reached) line(outside, box(geometry, service), [...ports].join(", "), undefined, palette.accent);
    const r = outside.w / 2;
    labels.push(
      `<circle cx="${outside.x + r}" cy="${outside.y + r}" r="${r}" fill="${palette.card}" stroke="${palette.accent}" stroke-dasharray="3 3"/>` +
        glyph("outside", outside.x + r - 14, outside.y + r - 22, 28, palette.accent) +
        text(outside.x + r, outside.y + r + 22, t("canvas.outside"), { size: 11, fill: palette.accent, anchor: "middle" }),
    );
  }
  return [...lines, ...labels];
}

function box(geometry: Geometry, id: NodeId): Rect {
  return absolute(geometry.boxes.get(id)!);
}
