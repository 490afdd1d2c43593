import { readFileSync } from "node:fs";

import { afterEach, describe, expect, it } from "vitest";

import { fresh, TARGET } from "../../scripts/schema.mjs";
import { fields } from "../../src/i18n/en/fields";
import { useLanguage } from "../../src/i18n";
import { entryOf, helpOf, type Place, topKeys } from "../../src/inspector/schema";

afterEach(() => useLanguage("en"));

const KEYS = Object.keys(fields).map((key) => {
  const [, place = "", ...rest] = key.split(".");
  return { place, key: rest.join(".") };
});

describe("the extract of the two schemas", () => {
  it("is what a fresh run would write", () => {
    expect(readFileSync(TARGET, "utf8")).toBe(fresh());
  });

  it("says what kind of control fits the shape of a key", () => {
    expect(entryOf("service", "image").control).toBe("text");
    expect(entryOf("service", "environment").control).toBe("map");
    expect(entryOf("service", "command").control).toBe("line_or_list");
    expect(entryOf("service", "expose").control).toBe("list");
    expect(entryOf("service", "deploy.replicas").control).toBe("number");
    expect(entryOf("volume", "external").control).toBe("toggle");
    expect(entryOf("x-service", "placement").enum).toEqual(["DEFAULT", "SPREAD", "BINPACK"]);
    expect(entryOf("x-machine", "count")).toMatchObject({ control: "number", strict: true, whole: true, minimum: 1, maximum: 100 });
  });

  it("knows every key of a service", () => {
    expect(topKeys("service")).toEqual(expect.arrayContaining(["image", "ports", "cap_add", "sysctls", "gpus"]));
  });

  it("has all fields that have a name, with the specification's words", () => {
    for (const { place, key } of KEYS) {
      const places: Place[] = place === "common" ? ["volume", "network", "config", "secret"] : [place as Place];
      const known = places.filter((each) => topKeys(each).includes(key) || helpOf(each, key) !== "");
      expect(known, `${place} ${key}`).not.toEqual([]);
    }
  });

  it("explains in French whatever it explains in English", async () => {
    const english = KEYS.flatMap(({ place, key }) => {
      const places: Place[] = place === "common" ? ["volume", "network", "config", "secret"] : [place as Place];
      return places.map((each) => ({ each, key, help: helpOf(each, key) })).filter(({ help }) => help !== "");
    }).filter(({ each, key }) => !(each === "service" && key === "build"));
    await useLanguage("fr");
    const missing = english.filter(({ each, key, help }) => helpOf(each, key) === help).map(({ each, key }) => `${each}.${key}`);
    // These are shown for volumes or networks only.
    expect(missing.filter((key) => !["config.labels", "secret.labels", "secret.driver"].includes(key))).toEqual([]);
  });
});
