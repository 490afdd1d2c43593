import { GRID, snap, type Rect } from "./geometry";

const CELL = 384;
/** Room that is left between neighbours that were put where there was place. */
const MARGIN = 24;

/** What is taken, in a spatial hash: asking is as fast with two thousand cards as with ten. */
export class Room {
  private readonly cells = new Map<number, Rect[]>();
  /** Most levels never ask: what was added is sorted into cells at the first question. */
  private readonly unsorted: Rect[] = [];
  private lowest = 0;

  add(rect: Rect): void {
    this.lowest = Math.max(this.lowest, rect.y + rect.h);
    this.unsorted.push(rect);
  }

  private sort(rect: Rect): void {
    for (const key of keys(rect)) {
      const there = this.cells.get(key);
      if (there) there.push(rect);
      else this.cells.set(key, [rect]);
    }
  }

  taken(rect: Rect, margin = 0): boolean {
    for (let next = this.unsorted.pop(); next; next = this.unsorted.pop()) this.sort(next);
    for (const key of keys({ x: rect.x - margin, y: rect.y - margin, w: rect.w + 2 * margin, h: rect.h + 2 * margin }))
      for (const other of this.cells.get(key) ?? [])
        if (
          rect.x < other.x + other.w + margin && other.x < rect.x + rect.w + margin &&
          rect.y < other.y + other.h + margin && other.y < rect.y + rect.h + margin
        )
          return true;
    return false;
  }

  /** Return the free place nearest to the wanted one, not left of or above the least. */
  place(wanted: Rect, least: { x: number; y: number } = { x: -Infinity, y: -Infinity }): { x: number; y: number } {
    const x = Math.max(snap(wanted.x), least.x);
    const y = Math.max(snap(wanted.y), least.y);
    const free = (atX: number, atY: number) =>
      atX >= least.x && atY >= least.y && !this.taken({ x: atX, y: atY, w: wanted.w, h: wanted.h }, MARGIN);
    if (free(x, y)) return { x, y };
    let reach = 2 * GRID;
    for (let ring = 0; ring < 60; ring++) {
      const step = Math.max(2 * GRID, snap(reach / 8));
      for (let off = 0; off <= reach; off += step) {
        // Below and to the right first: that is where people look for what is new.
        const tries: [number, number][] = [
          [x + off, y + reach], [x - off, y + reach], [x + reach, y + off], [x + reach, y - off],
          [x + off, y - reach], [x - off, y - reach], [x - reach, y + off], [x - reach, y - off],
        ];
        for (const [atX, atY] of tries) if (free(atX, atY)) return { x: atX, y: atY };
      }
      reach += step;
    }
    return { x, y: snap(Math.max(this.lowest, least.y - MARGIN) + MARGIN + GRID) };
  }
}

function keys(rect: Rect): number[] {
  const right = Math.floor((rect.x + rect.w) / CELL);
  const bottom = Math.floor((rect.y + rect.h) / CELL);
  const found: number[] = [];
  for (let column = Math.floor(rect.x / CELL); column <= right; column++)
    for (let row = Math.floor(rect.y / CELL); row <= bottom; row++) found.push(column * 1_000_003 + row);
  return found;
}
