// Copies the pinned third-party files into static/ and joins the icons into one sprite.
// The results are committed, so that running the portal needs no npm; a test compares them with icons.txt.
import { copyFile, mkdir, readFile, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const here = dirname(fileURLToPath(import.meta.url));
const modules = join(here, "node_modules");
const target = join(here, "..", "..", "static");

const COPIES = [
  ["htmx.org/dist/htmx.min.js", "vendor/htmx-4.0.1.min.js"],
  ["@fontsource-variable/inter/files/inter-latin-wght-normal.woff2", "fonts/inter-latin.woff2"],
  ["@fontsource-variable/inter/files/inter-latin-ext-wght-normal.woff2", "fonts/inter-latin-ext.woff2"],
  ["@fontsource-variable/jetbrains-mono/files/jetbrains-mono-latin-wght-normal.woff2", "fonts/jetbrains-mono-latin.woff2"],
  ["@fontsource-variable/jetbrains-mono/files/jetbrains-mono-latin-ext-wght-normal.woff2", "fonts/jetbrains-mono-latin-ext.woff2"],
];

async function symbol(name) {
  const svg = await readFile(join(modules, "@tabler/icons/icons/outline", `${name}.svg`), "utf8");
  const inner = svg
    .replace(/<!--[\s\S]*?-->/g, "")
    .replace(/^[\s\S]*?<svg[^>]*>/, "")
    .replace(/<\/svg>\s*$/, "")
    .replace(/<path stroke="none"[^>]*\/>/g, "")
    .replace(/\s*\n\s*/g, "");
  return `<symbol id="${name}" viewBox="0 0 24 24">${inner}</symbol>`;
}

const names = (await readFile(join(here, "icons.txt"), "utf8"))
  .split("\n")
  .filter((line) => line && !line.startsWith("#"));
await mkdir(join(target, "vendor"), { recursive: true });
await mkdir(join(target, "fonts"), { recursive: true });
for (const [from, to] of COPIES) await copyFile(join(modules, from), join(target, to));
const symbols = await Promise.all(names.map(symbol));
await writeFile(
  join(target, "icons.svg"),
  `<!-- Tabler icons 3.51.0, MIT, see NOTICE -->\n<svg xmlns="http://www.w3.org/2000/svg">\n${symbols.join("\n")}\n</svg>\n`,
);
console.log(`${names.length} icons, ${COPIES.length} files`);
