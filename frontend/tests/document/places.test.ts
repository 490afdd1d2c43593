import { describe, expect, it } from "vitest";

import type { ServiceNode } from "../../src/document";
import { drawing } from "./helpers";

const services = (web: string, db: string, more = ""): string => `services:
  web: { image: nginx${web} }
  db: { image: postgres${db} }
${more}`;
const clouds = (text: string): string[] | undefined => drawing(text).clouds;

describe("the clouds that a drawing names", () => {
  it("are those of all its services, the first one's first", () => {
    expect(clouds(services(", x-escale: { place: ireland }", ", x-escale: { place: { cloud: paris, label: required } }"))).toEqual(["ireland", "paris"]);
  });

  it("are none while a service, or a machine, leaves its cloud open", () => {
    expect(clouds(services(", x-escale: { place: ireland }", ""))).toBeUndefined();
    expect(clouds(services(", x-escale: { place: ireland }", ', x-escale: { place: { label: "escale:mobility" } }'))).toBeUndefined();
    expect(clouds(services(", x-escale: { place: ireland }", ", x-escale: { place: paris }", "x-escale: { machines: { front: {} } }"))).toBeUndefined();
    expect(clouds("services: {}")).toBeUndefined();
  });

  it("start with the one of the whole drawing, which all others stand on", () => {
    expect(clouds(services(", x-escale: { place: ireland }", "", "x-escale: { place: paris }"))).toEqual(["paris", "ireland"]);
  });

  it("are those of its machines, which go over a service's own", () => {
    expect(clouds(services(", x-escale: { machine: front }", ", x-escale: { place: paris }", "x-escale: { machines: { front: { place: ireland } } }"))).toEqual(["ireland", "paris"]);
  });

  it("are left to its regions where there are any", () => {
    expect(clouds(services("", "", "x-escale: { place: paris, regions: { a: { cloud: ireland } } }"))).toBeUndefined();
  });

  it("are told of each service that names one", () => {
    const { nodes } = drawing(services(", x-escale: { place: ireland }", ""));
    expect(nodes.filter((node): node is ServiceNode => node.kind === "service").map(({ place }) => place)).toEqual(["ireland", undefined]);
  });
});
