import type { Kind } from "../document/types";

export type ItemGroup = "containers" | "storage" | "places";
export const ITEM_GROUPS: readonly ItemGroup[] = ["containers", "storage", "places"];

/** Something that can be added to a drawing, with the values that it begins with. */
export interface Item {
  id: string;
  kind: Kind;
  group: ItemGroup;
  icon: string;
  /** The name that it gets when it is free. */
  name: string;
  value: () => unknown;
  /** A volume that comes with it: its name, and where the service mounts it. */
  volume?: { name: string; at: string };
  /** Words that it is found by as well; names, the same in all languages. */
  finds: string;
}

/**
 * Return a password that nobody else has: one that ships with the portal would be everybody's. The variable lets
 * whoever deploys choose another one.
 */
function password(variable: string): string {
  const bytes = crypto.getRandomValues(new Uint8Array(12));
  return `\${${variable}:-${Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("")}}`;
}

const check = (test: string) => ({ test: ["CMD-SHELL", test], interval: "10s", timeout: "5s", retries: 5 });

// Whoever calls from another machine reaches only ports that are declared.
export const ITEMS: readonly Item[] = [
  {
    id: "web", kind: "service", group: "containers", icon: "world", name: "web", finds: "nginx http proxy",
    value: () => ({ image: "nginx:1.29-alpine", restart: "unless-stopped", ports: ["80:80"] }),
  },
  {
    id: "service", kind: "service", group: "containers", icon: "api", name: "api", finds: "application app node http",
    value: () => ({ image: "traefik/whoami:v1.11", restart: "unless-stopped", expose: ["80"] }),
  },
  {
    id: "postgres", kind: "service", group: "containers", icon: "database", name: "db", finds: "database sql postgresql",
    volume: { name: "db-data", at: "/var/lib/postgresql/data" },
    value: () => ({
      image: "postgres:17-alpine", restart: "unless-stopped", expose: ["5432"],
      environment: { POSTGRES_DB: "app", POSTGRES_USER: "app", POSTGRES_PASSWORD: password("DB_PASSWORD") },
      healthcheck: check("pg_isready -U app"),
    }),
  },
  {
    id: "mariadb", kind: "service", group: "containers", icon: "database", name: "mariadb", finds: "database sql mysql",
    volume: { name: "mariadb-data", at: "/var/lib/mysql" },
    value: () => ({
      image: "mariadb:11.8", restart: "unless-stopped", expose: ["3306"],
      environment: { MARIADB_DATABASE: "app", MARIADB_USER: "app", MARIADB_PASSWORD: password("DB_PASSWORD"), MARIADB_RANDOM_ROOT_PASSWORD: "1" },
      healthcheck: check("healthcheck.sh --connect --innodb_initialized"),
    }),
  },
  {
    id: "cache", kind: "service", group: "containers", icon: "bolt", name: "cache", finds: "redis valkey memory",
    value: () => ({ image: "valkey/valkey:8-alpine", restart: "unless-stopped", expose: ["6379"], healthcheck: check("valkey-cli ping | grep -q PONG") }),
  },
  {
    id: "queue", kind: "service", group: "containers", icon: "stack-2", name: "queue", finds: "rabbitmq amqp messages broker",
    volume: { name: "queue-data", at: "/var/lib/rabbitmq" },
    value: () => ({
      // A hostname: the broker keeps its data under it.
      image: "rabbitmq:4-management-alpine", hostname: "queue", restart: "unless-stopped", expose: ["5672"],
      healthcheck: check("rabbitmq-diagnostics -q ping"),
    }),
  },
  {
    id: "worker", kind: "service", group: "containers", icon: "settings", name: "worker", finds: "job background task",
    value: () => ({ image: "busybox:1.37", command: "sh -c 'while true; do echo working; sleep 30; done'", restart: "unless-stopped", deploy: { replicas: 2 } }),
  },
  { id: "blank", kind: "service", group: "containers", icon: "box", name: "service", finds: "container image empty", value: () => ({ image: "alpine:3.22" }) },
  { id: "volume", kind: "volume", group: "storage", icon: "database", name: "data", finds: "disk storage", value: () => ({ "x-escale": { size: "10GiB" } }) },
  { id: "network", kind: "network", group: "storage", icon: "network", name: "backend", finds: "lan subnet", value: () => null },
  { id: "config", kind: "config", group: "storage", icon: "file-code", name: "settings", finds: "file", value: () => ({ content: "# …\n" }) },
  { id: "secret", kind: "secret", group: "storage", icon: "key", name: "password", finds: "credential", value: () => ({ environment: "PASSWORD" }) },
  { id: "machine", kind: "machine", group: "places", icon: "server-2", name: "host", finds: "vm host docker", value: () => ({ cpus: 2, memory: "4GiB" }) },
  { id: "pool", kind: "machine", group: "places", icon: "stack-3", name: "pool", finds: "cluster machines", value: () => ({ count: 3, cpus: 2, memory: "4GiB" }) },
  { id: "plain", kind: "machine", group: "places", icon: "device-desktop", name: "vm", finds: "virtual machine bastion", value: () => ({ template: "debian-12", cpus: 1, memory: "2GiB" }) },
  { id: "region", kind: "region", group: "places", icon: "cloud", name: "region", finds: "cloud site datacenter", value: () => null },
];

/** Services stand in machines and regions, machines in regions; all else is shared and stands in nothing. */
export function fits(item: Pick<Item, "kind">, parent: Kind): boolean {
  return item.kind === "service" ? parent === "machine" || parent === "region" : item.kind === "machine" && parent === "region";
}
