import { describe, expect, it } from "vitest";

import { parts, readMount, readPair, readPort, writeMount, writePort } from "../../src/inspector/short";

describe("short ports", () => {
  it.each(["80", "80:80", "8080:80/udp", "127.0.0.1:8080:80", "[::1]:8080:80", "8000-8010:8000-8010", "${PORT:-80}:80", "127.0.0.1::53/udp"])(
    "reads %s and writes it back as it was", (text) => {
      const port = readPort(text);
      expect(port).not.toBeNull();
      // Without a published port an address means nothing; such a line is left to be edited whole.
      if (port && !(port.ip && !port.published)) expect(writePort(port)).toBe(text);
    });

  it("knows the parts", () => {
    expect(readPort("127.0.0.1:8080:80/udp")).toEqual({ ip: "127.0.0.1", published: "8080", target: "80", protocol: "udp" });
    expect(readPort("${PORT:-80}:80")).toEqual({ ip: "", published: "${PORT:-80}", target: "80", protocol: "" });
  });

  it("leaves what is no port alone", () => {
    expect(readPort("a:b:c:d")).toBeNull();
    expect(readPort("80:")).toBeNull();
  });
});

describe("short mounts", () => {
  it.each(["/data", "data:/data", "./conf:/etc/conf:ro", "${DIR:-/srv}:/data", "data:/data:ro,z"])("reads %s and writes it back", (text) => {
    const mount = readMount(text);
    expect(mount && writeMount(mount)).toBe(text);
  });

  it("tells a mode from a path", () => {
    expect(readMount("/data:ro")).toEqual({ source: "", target: "/data", mode: "ro" });
  });
});

it("splits at colons outside of variables alone", () => {
  expect(parts("${A:-b:c}:d")).toEqual(["${A:-b:c}", "d"]);
});

it("tells an empty value from one that comes from outside", () => {
  expect(readPair("A=")).toEqual({ key: "A", value: "" });
  expect(readPair("A")).toEqual({ key: "A", value: null });
  expect(readPair("A=b=c")).toEqual({ key: "A", value: "b=c" });
});
