// @vitest-environment jsdom
import { cleanup, render, screen, within } from "@testing-library/react";
import { afterEach, describe, expect, it } from "vitest";

import type { Schemas } from "../../src/api/client";
import { CloudFigures, Crossings } from "../../src/deploy/Across";
import { DrawnPlace } from "../../src/deploy/section";
import type { DrawingNode } from "../../src/document/types";

const price = (monthly: string, currency: string) => ({ currency, monthly, hourly: "0", monthly_before: null, lines: [], note: "" }) as unknown as Schemas["Price"];
const part = (name: string, cost: Schemas["Price"] | null, cpus: number) => ({
  part: name === "ireland" ? "" : name, cloud: { id: name, name }, services: [`on-${name}`], counts: {}, requirements: { machines: 1, cpus, memory_mib: 1024, disk_gib: 10 }, price: cost,
}) as unknown as Schemas["Part"];
const room = (cpus: number) => ({ cpus, cpu_mhz: 1000, cpu_free_mhz: 1000, memory_mib: 8192, memory_free_mib: 8192, storage_gib: 100, storage_free_gib: 100, read_at: "2026-01-01T00:00:00Z" }) as unknown as Schemas["Capacity"];
const machines = [{ cloud: "ireland" }, { cloud: "paris" }, { cloud: "paris" }];

afterEach(cleanup);

describe("the figures of a drawing over several clouds", () => {
  it("are told for each cloud, against its own room, and currencies are not added up", () => {
    const parts = [part("ireland", price("10.00", "USD"), 2), part("paris", price("20.00", "EUR"), 4)];
    render(<CloudFigures parts={parts} machines={machines} price={null} roomOf={({ cloud }) => (cloud.name === "paris" ? room(3) : room(64))} />);
    const ireland = within(screen.getByRole("region", { name: "ireland" }));
    const paris = within(screen.getByRole("region", { name: "paris" }));
    ireland.getByText("$10.00");
    ireland.getByText("1 machine");
    ireland.getByText("2 of 64 cores free");
    expect(ireland.queryByLabelText("More than there is")).toBeNull();
    paris.getByText("€20.00");
    paris.getByText("2 machines");
    paris.getByText("4 of 3 cores free");
    paris.getByLabelText("More than there is");
    screen.getByText("Prices are in several currencies, so they are not added up.");
    expect(screen.queryByText("The cloud has no price list.")).toBeNull();
  });

  it("have a sum where all are in one currency", () => {
    render(<CloudFigures parts={[part("ireland", price("10.00", "EUR"), 1), part("paris", price("20.00", "EUR"), 1)]} machines={machines} price={price("30.00", "EUR")} roomOf={() => null} />);
    screen.getByText("€30.00");
    expect(screen.queryByText(/several currencies/)).toBeNull();
  });

  it("say of which cloud there is no price list", () => {
    render(<CloudFigures parts={[part("ireland", null, 1), part("paris", price("20.00", "EUR"), 1)]} machines={machines} price={null} roomOf={() => null} />);
    within(screen.getByRole("region", { name: "ireland" })).getByText("The cloud has no price list.");
    expect(within(screen.getByRole("region", { name: "paris" })).queryByText("The cloud has no price list.")).toBeNull();
    expect(screen.queryByText(/several currencies/)).toBeNull();
  });

  it("stand without a cloud's name where there is one cloud", () => {
    render(<CloudFigures parts={[part("paris", price("20.00", "EUR"), 1)]} machines={[{}]} price={price("20.00", "EUR")} roomOf={() => room(8)} />);
    screen.getByText("€20.00");
    expect(screen.queryByText("paris")).toBeNull();
  });
});

describe("what crosses a border", () => {
  const crossing = { caller: "web", caller_cloud: "ireland", called: "db", called_cloud: "paris", port: 5432, container_port: 5432, protocol: "tcp", machines: ["shop-host-1"], addresses: [] as string[], firewall: "", waits: true };

  it("is listed with both ends, the port, and an address that is known only later", () => {
    render(<Crossings crossings={[crossing, { ...crossing, caller: "job", addresses: ["203.0.113.7"], waits: false }]} />);
    const table = within(screen.getByRole("region", { name: "What crosses a border" }));
    const [, first, second] = table.getAllByRole("row");
    expect(within(first!).getAllByRole("cell").map(({ textContent }) => textContent)).toEqual(["webireland", "dbparisstarts first", "5432/tcp", "of shop-host-1, known when it runs"]);
    expect(second!.textContent).toContain("203.0.113.7");
  });

  it("is not spoken of where nothing does", () => {
    expect(render(<Crossings crossings={[]} />).container.textContent).toBe("");
  });
});

describe("the cloud that a service names", () => {
  it("is shown with it, and nothing is where it names none", () => {
    render(<DrawnPlace node={{ kind: "service", place: "ireland" } as DrawingNode} />);
    screen.getByText("ireland");
    cleanup();
    expect(render(<DrawnPlace node={{ kind: "service" } as DrawingNode} />).container.textContent).toBe("");
  });
});
