import { describe, expect, it } from "vitest";

import { like, smallest } from "../../src/inspector/write";

describe("the smallest change", () => {
  const body = { image: "a", deploy: { resources: { limits: { cpus: 1 } } }, ports: ["80:80"] };

  it("brings the parents that are missing", () => {
    expect(smallest(body, ["healthcheck", "interval"], "5s")).toEqual({ path: ["healthcheck"], value: { interval: "5s" } });
    expect(smallest(body, ["deploy", "replicas"], 2)).toEqual({ path: ["deploy", "replicas"], value: 2 });
    expect(smallest(null, ["x-escale", "size"], "1GiB")).toEqual({ path: [], value: { "x-escale": { size: "1GiB" } } });
  });

  it("takes along the parents that would be left empty", () => {
    expect(smallest(body, ["deploy", "resources", "limits", "cpus"], undefined)).toEqual({ path: ["deploy"], value: undefined });
    expect(smallest(body, ["ports", 0], undefined)).toEqual({ path: ["ports"], value: undefined });
  });

  it("never takes the body itself away", () => {
    expect(smallest({ image: "a" }, ["image"], undefined)).toEqual({ path: ["image"], value: undefined });
  });
});

describe("what a text means", () => {
  it("stays a number where one stood, when it can", () => {
    expect(like(80, "443")).toBe(443);
    expect(like(80, "${PORT}")).toBe("${PORT}");
    expect(like("80", "443")).toBe("443");
  });

  it("keeps what a number would lose", () => {
    expect(like(1, "007")).toBe("007");
    expect(like(1, "1.50")).toBe("1.50");
    expect(like(1, "9007199254740993")).toBe("9007199254740993");
  });
});
