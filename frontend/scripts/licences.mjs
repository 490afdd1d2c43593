// Joins the licences of the packages that the designer's bundle is made of into static/licences/designer.txt.
// Run `node scripts/licences.mjs`; `make frontend` does so too, and `make test` compares.
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

const at = (path) => new URL(path, import.meta.url);
export const TARGET = at("../../static/licences/designer.txt");

const TYPES_ONLY = /^node_modules\/(@types\/|csstype$)/; // nothing of them is in the bundle
const HEAD = `The designer (static/designer) is built from frontend/ and from these packages, unchanged but for being joined and
shortened. elkjs is used under the Eclipse Public License 2.0; its source is at https://github.com/kieler/elkjs.
`;

/** Return the text of the file: the packages by name, each distinct licence once with those that it is of. */
export function fresh() {
  const { packages } = JSON.parse(readFileSync(at("../package-lock.json"), "utf8"));
  const by = new Map();
  for (const [folder, meta] of Object.entries(packages)) {
    if (!folder || meta.dev || meta.optional || TYPES_ONLY.test(folder)) continue;
    const file = readdirSync(at(`../${folder}/`)).sort().find((name) => /^(licen[cs]e|copying)/i.test(name));
    if (!file) throw new Error(`${folder} comes without the text of its licence`);
    const text = readFileSync(at(`../${folder}/${file}`), "utf8").replace(/\r\n/g, "\n").trim();
    const name = folder.slice(folder.lastIndexOf("node_modules/") + "node_modules/".length);
    by.set(text, [...(by.get(text) ?? []), `${name} ${meta.version} (${meta.license})`]);
  }
  const parts = [...by].map(([text, names]) => [names.sort().join("\n"), text]);
  parts.sort(([one], [other]) => (one < other ? -1 : 1));
  const rule = "-".repeat(80);
  return [HEAD, ...parts.map(([names, text]) => `${rule}\n${names}\n\n${text}\n`)].join("\n");
}

if (process.argv[1] === fileURLToPath(import.meta.url)) writeFileSync(TARGET, fresh());
