import type { Drawing, MachineNode, NodeId } from "../document/types";

/** What the services on a machine ask for, and what it has; null where nothing is said. */
export interface Usage {
  cpus: number;
  cpusOf: number | null;
  memory: number;
  memoryOf: number | null;
  services: number;
}

const UNITS: Record<string, number> = { "": 1 / 1048576, b: 1 / 1048576, k: 1 / 1024, m: 1, g: 1024, t: 1048576 };

/** Return MiB of a size as Compose writes it ("512M", "4GiB", "1.5gb"); null when it is none. */
export function mebibytes(text: string): number | null {
  const match = /^\s*(\d+(?:\.\d+)?)\s*([kmgt]?)(?:i?b)?\s*$/i.exec(text);
  return match ? Number(match[1]) * UNITS[match[2]!.toLowerCase()]! : null;
}

export function cores(text: string): number | null {
  const value = Number(text);
  return text.trim() !== "" && Number.isFinite(value) && value >= 0 ? value : null;
}

export function usageOf(drawing: Drawing): Map<NodeId, Usage> {
  const found = new Map<NodeId, Usage>();
  for (const node of drawing.nodes) {
    if (node.kind !== "machine") continue;
    const machine: MachineNode = node;
    const cpus = cores(machine.cpus);
    const memory = mebibytes(machine.memory);
    found.set(node.id, {
      cpus: 0, memory: 0, services: 0, cpusOf: cpus === null ? null : cpus * machine.count,
      memoryOf: memory === null ? null : memory * machine.count,
    });
  }
  for (const node of drawing.nodes) {
    const usage = node.kind === "service" && node.parent !== null ? found.get(node.parent) : undefined;
    if (!usage || node.kind !== "service") continue;
    usage.cpus += (cores(node.cpus) ?? 0) * node.replicas;
    usage.memory += (mebibytes(node.memory) ?? 0) * node.replicas;
    usage.services += 1;
  }
  return found;
}

/** The fuller of the two, 0…; null when nothing is declared. */
export function fullness(usage: Usage): number | null {
  const parts = [
    usage.cpusOf ? usage.cpus / usage.cpusOf : null, usage.memoryOf ? usage.memory / usage.memoryOf : null,
  ].filter((part) => part !== null);
  return parts.length > 0 ? Math.max(...parts) : null;
}
