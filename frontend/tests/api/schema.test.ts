import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { expect, it } from "vitest";

it("has the types that docs/openapi.yaml gives (mend: npm run api)", () => {
  const root = new URL("../../", import.meta.url).pathname;
  const out = join(mkdtempSync(join(tmpdir(), "schema-")), "schema.gen.ts");
  execFileSync("node", [join(root, "node_modules/openapi-typescript/bin/cli.js"), join(root, "../docs/openapi.yaml"), "-o", out]);
  const same = readFileSync(join(root, "src/api/schema.gen.ts"), "utf8") === readFileSync(out, "utf8");
  expect(same, "src/api/schema.gen.ts is not what the document gives").toBe(true);
}, 60_000);
