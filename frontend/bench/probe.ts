/** Measures frames and long tasks within the page; the runner drives it over `window.__bench`. */
interface Page {
  /** All that the page shows first is on it. */
  ready: () => boolean;
  view: () => { x: number; y: number; zoom: number };
  /** What a drag takes hold of. */
  grip: () => HTMLElement;
}

interface Record_ {
  from: number;
  frames: number[];
  lastChange: number;
  moved: number;
  on: boolean;
}

export interface Measured {
  fps: number;
  p95: number;
  longest: number;
  moved: number;
  zoom: number;
}

declare global {
  interface Window {
    __bench: Record<string, unknown>;
  }
}

export function install(page: Page): void {
  const long: { at: number; ms: number }[] = [];
  new PerformanceObserver((list) => {
    for (const entry of list.getEntries()) long.push({ at: entry.startTime, ms: entry.duration });
  }).observe({ type: "longtask", buffered: true });

  const bench: Record<string, unknown> = { full: null, long };
  window.__bench = bench;
  const wait = () => {
    if (!page.ready()) return void requestAnimationFrame(wait);
    requestAnimationFrame(() => requestAnimationFrame(() => {
      bench.full = performance.now();
    }));
  };
  requestAnimationFrame(wait);

  let record: Record_ | null = null;
  let held: HTMLElement | null = null;
  const place = (): [number, number, number] => {
    if (held) {
      const box = held.getBoundingClientRect();
      return [box.left, box.top, 0];
    }
    const { x, y, zoom } = page.view();
    return [x, y, zoom * 1_000];
  };
  Object.assign(bench, {
    view: page.view,
    grip: () => {
      held = page.grip();
      const box = held.getBoundingClientRect();
      for (const fy of [0.5, 0.3, 0.7])
        for (const fx of [0.5, 0.35, 0.65, 0.2, 0.8]) {
          const x = box.left + box.width * fx;
          const y = box.top + box.height * fy;
          const hit = document.elementFromPoint(x, y);
          if (hit && held.contains(hit) && !hit.closest(".react-flow__handle, button")) return [x, y];
        }
      return [box.left + box.width / 2, box.top + box.height / 2];
    },
    letGo: () => {
      held = null;
    },
    start: () => {
      const first = place();
      let before = first;
      const mine: Record_ = { from: performance.now(), frames: [], lastChange: -1, moved: 0, on: true };
      record = mine;
      const frame = () => {
        if (!mine.on) return;
        mine.frames.push(performance.now());
        const now = place();
        mine.moved = Math.max(mine.moved, Math.hypot(now[0] - first[0], now[1] - first[1], now[2] - first[2]));
        if (now.some((value, axis) => value !== before[axis])) {
          before = now;
          mine.lastChange = mine.frames.length - 1;
        }
        requestAnimationFrame(frame);
      };
      requestAnimationFrame(frame);
    },
    /** Milliseconds since anything moved. */
    quiet: () => {
      if (!record) return 0;
      return performance.now() - (record.lastChange < 0 ? record.from : record.frames[record.lastChange]!);
    },
    stop: (): Measured => {
      const mine = record!;
      mine.on = false;
      const frames = mine.lastChange > 3 ? mine.frames.slice(0, mine.lastChange + 1) : mine.frames;
      const to = frames[frames.length - 1] ?? performance.now();
      const gaps = frames.slice(1).map((at, index) => at - frames[index]!).sort((a, b) => a - b);
      const during = long.filter(({ at, ms }) => at + ms > mine.from && at < to);
      return {
        fps: (frames.length / (to - mine.from)) * 1_000, p95: gaps[Math.floor(gaps.length * 0.95)] ?? to - mine.from,
        longest: Math.max(0, ...during.map(({ ms }) => ms)), moved: mine.moved, zoom: page.view().zoom,
      };
    },
  });
}
