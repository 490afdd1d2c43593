/** Return the circles of a graph, each once as the names along it; at most `most` of them. */
export function circles(graph: ReadonlyMap<string, readonly string[]>, most = 20): string[][] {
  const state = new Map<string, "open" | "done">();
  const found: string[][] = [];
  for (const start of graph.keys()) {
    if (state.has(start)) continue;
    const trail: { name: string; next: number }[] = [{ name: start, next: 0 }];
    state.set(start, "open");
    while (trail.length > 0) {
      const top = trail[trail.length - 1] as { name: string; next: number };
      const to = graph.get(top.name)?.[top.next++];
      if (to === undefined) {
        state.set(top.name, "done");
        trail.pop();
      } else if (state.get(to) === "open") {
        if (found.length < most) found.push(trail.slice(trail.findIndex((step) => step.name === to)).map((step) => step.name));
      } else if (!state.has(to) && graph.has(to)) {
        state.set(to, "open");
        trail.push({ name: to, next: 0 });
      }
    }
  }
  return found;
}

/** True when `to` can be reached from `from` by one step or more. */
export function reaches(graph: ReadonlyMap<string, readonly string[]>, from: string, to: string): boolean {
  const seen = new Set<string>();
  const open = [from];
  for (let at = open.pop(); at !== undefined; at = open.pop()) {
    for (const next of graph.get(at) ?? []) {
      if (next === to) return true;
      if (!seen.has(next)) {
        seen.add(next);
        open.push(next);
      }
    }
  }
  return false;
}
