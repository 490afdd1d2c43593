import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

import { expect, test } from "vitest";

const SRC = new URL("../../src/", import.meta.url).pathname;

test("a class is styled in one file only: the parts share one page", () => {
  const owners = new Map<string, Set<string>>();
  for (const file of readdirSync(SRC, { recursive: true, encoding: "utf8" }).filter((name) => name.endsWith(".css"))) {
    const sheet = readFileSync(join(SRC, file), "utf8").replace(/\/\*[\s\S]*?\*\//g, "");
    for (const [, selectors] of sheet.matchAll(/([^{}]+)\{/g)) {
      for (const selector of selectors!.split(",")) {
        const alone = /^\s*(\.d-[\w-]+)\s*$/.exec(selector)?.[1];
        if (alone) owners.set(alone, (owners.get(alone) ?? new Set()).add(file));
      }
    }
  }
  const shared = [...owners].filter(([, files]) => files.size > 1).map(([name, files]) => `${name}: ${[...files].join(", ")}`);
  expect(shared).toEqual([]);
});
