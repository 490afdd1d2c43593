// Extracts from the engine's two schemas what the inspector shows of them: each key's own words, its kind of control
// and its bounds. The Compose schema is 75 kB; what forms need of it is a fifth. Run `node scripts/schema.mjs`.
import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

const at = (path) => new URL(path, import.meta.url);
export const COMPOSE = at("../../engine/compose/schema/compose-spec.json");
export const EXTENSION = at("../../engine/realise/schema/x-escale.json");
export const TARGET = at("../src/inspector/schema.gen.json");

/** Keys of a service whose inner keys have controls too; of the others the top key is enough. */
const OPENED = ["build", "configs", "depends_on", "deploy", "env_file", "healthcheck", "networks", "ports", "secrets", "volumes"];
const CLOSED = ["deploy.update_config", "deploy.rollback_config", "deploy.placement", "deploy.resources.reservations.devices",
  "deploy.resources.reservations.generic_resources", "volumes[].image", "volumes[].volume.labels"];
const DEPTH = 4;

function resolve(schema, root) {
  if (!schema.$ref) return schema;
  const name = schema.$ref.split("/").pop();
  const { $ref, ...own } = schema;
  return { ...root.definitions[name], ...own, ref: name };
}

const types = (schema) => [schema.type ?? []].flat();
const branches = (schema, root) => (schema.oneOf ?? schema.anyOf ?? [schema]).map((branch) => resolve(branch, root));

/** Return the kind of control that fits the shape of a key. */
function control(schema, root) {
  if (schema.enum) return "select";
  if (schema.ref === "list_or_dict" || schema.ref === "extra_hosts") return "map";
  const all = branches(schema, root);
  const kinds = new Set(all.flatMap(types));
  const items = all.map((branch) => branch.items).find(Boolean);
  const plain = items && branches(resolve(items, root), root).every((item) => !types(item).includes("object"));
  if (items && plain) return kinds.has("string") ? "line_or_list" : "list";
  if (kinds.has("boolean")) return "toggle";
  if (items || kinds.has("object")) return "yaml";
  if (!schema.pattern && (kinds.has("integer") || kinds.has("number"))) return "number";
  return "text";
}

function entry(schema, root) {
  const made = { help: schema.description ?? "", control: control(schema, root) };
  for (const key of ["enum", "minimum", "maximum", "exclusiveMinimum", "pattern", "maxLength"])
    if (schema[key] !== undefined) made[key] = schema[key];
  // A number that may also be words (`${REPLICAS}`, `2g`) is only checked for what it may not be.
  const numeric = branches(schema, root).flatMap(types);
  if (made.control === "number" && !numeric.includes("string")) made.strict = true;
  if (made.control === "number" && !numeric.includes("number")) made.whole = true;
  return made;
}

function walk(schema, root, prefix, depth, into, opened) {
  for (const branch of branches(schema, root)) {
    for (const [key, value] of Object.entries(branch.properties ?? {})) {
      const inner = resolve(value, root);
      const path = prefix ? `${prefix}.${key}` : key;
      into[path] ??= entry(inner, root);
      if (depth < DEPTH && opened(path)) walk(inner, root, path, depth + 1, into, opened);
    }
    if (!prefix) continue;
    if (branch.items) walk(resolve(branch.items, root), root, `${prefix}[]`, depth, into, opened);
    const named = Object.entries(branch.patternProperties ?? {}).find(([pattern]) => pattern !== "^x-")?.[1];
    const others = typeof branch.additionalProperties === "object" ? branch.additionalProperties : null;
    for (const each of [named, others]) if (each) walk(resolve(each, root), root, `${prefix}.*`, depth, into, opened);
  }
}

/** Return the extract of both schemas, as text. */
export function extract(compose, extension) {
  const places = {};
  const service = (path) => OPENED.includes(path.split(/[.[]/)[0]) && !CLOSED.some((closed) => path.startsWith(closed));
  for (const place of ["service", "volume", "network", "config", "secret"]) {
    places[place] = {};
    walk(resolve({ $ref: `#/definitions/${place}` }, compose), compose, "", 1, places[place], place === "service" ? service : () => false);
  }
  const inExtension = (place) => {
    const into = {};
    walk(extension[place], extension, "", 1, into, (path) => path !== "canvas" && path !== "machines" && path !== "regions");
    delete into.canvas;
    return into;
  };
  for (const place of ["project", "service", "volume", "network"]) places[`x-${place}`] = inExtension(place);
  for (const [place, key] of [["x-machine", "machines"], ["x-region", "regions"]]) {
    places[place] = {};
    walk(extension.project.properties[key].additionalProperties, extension, "", 1, places[place], () => false);
    delete places["x-project"][key];
  }
  return `${JSON.stringify(places, null, 1)}\n`;
}

export function fresh() {
  return extract(JSON.parse(readFileSync(COMPOSE, "utf8")), JSON.parse(readFileSync(EXTENSION, "utf8")));
}

if (process.argv[1] === fileURLToPath(import.meta.url)) writeFileSync(TARGET, fresh());
