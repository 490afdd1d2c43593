import { describe, expect, it } from "vitest";

import { en } from "../../src/i18n/en";
import { fr } from "../../src/i18n/fr";

const placeholders = (text: string) => [...text.matchAll(/\{(\w+)\}/g)].map(([, name]) => name).sort();
const keys = (catalogue: Record<string, string>) => Object.keys(catalogue).sort();

describe("the two catalogues", () => {
  it("have the same keys, but for the specification's own words, which are English by themselves", () => {
    const known = new Set(keys(fr));
    expect(keys(en).filter((key) => !known.has(key))).toEqual([]);
    expect(keys(fr).filter((key) => !(key in en) && !key.startsWith("help."))).toEqual([]);
  });

  it("leave no text empty", () => {
    for (const [key, text] of [...Object.entries(en), ...Object.entries(fr)]) expect(text.trim(), key).not.toBe("");
  });

  it("name the same placeholders", () => {
    const french: Record<string, string> = fr;
    for (const [key, text] of Object.entries(en)) expect(placeholders(french[key] ?? ""), key).toEqual(placeholders(text));
  });

  it("have both forms of each plural", () => {
    for (const key of keys(en)) {
      if (key.endsWith("_other")) expect(en, key).toHaveProperty([key.replace(/_other$/, "_one")]);
    }
  });
});
