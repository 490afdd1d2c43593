import type { TextEdit } from "./types";

/** A stretch of a changed text: taken over from the text before (offsets there), or new. */
type Piece = { from: number; to: number } | string;

const lengthOf = (piece: Piece): number => (typeof piece === "string" ? piece.length : piece.to - piece.from);

function cut(piece: Piece, from: number, to: number): Piece {
  return typeof piece === "string" ? piece.slice(from, to) : { from: piece.from + from, to: Math.min(piece.to, piece.from + to) };
}

/** Return the pieces that remain of a text made of pieces after edits of it. */
function edited(pieces: readonly Piece[], edits: readonly TextEdit[]): Piece[] {
  const result: Piece[] = [];
  let i = 0;
  let inside = 0; // how much of pieces[i] is used up
  const take = (length: number, keep: boolean): void => {
    while (length > 0 && i < pieces.length) {
      const piece = pieces[i] as Piece;
      const size = Math.min(length, lengthOf(piece) - inside);
      if (keep && size > 0) result.push(cut(piece, inside, inside + size));
      length -= size;
      inside += size;
      if (inside >= lengthOf(piece)) [i, inside] = [i + 1, 0];
    }
  };
  let at = 0;
  for (const edit of edits) {
    take(edit.from - at, true);
    if (edit.insert !== "") result.push(edit.insert);
    take(edit.to - edit.from, false);
    at = edit.to;
  }
  take(Infinity, true);
  return result;
}

/**
 * Return the edits that do at once what lists of edits do one after the other, each on the text that the last one left;
 * `length` is that of the text before.
 */
export function compose(length: number, ...lists: (readonly TextEdit[])[]): TextEdit[] {
  const busy = lists.filter((list) => list.length > 0);
  if (busy.length < 2) return [...(busy[0] ?? [])];
  let pieces: Piece[] = [{ from: 0, to: length }];
  for (const list of busy) pieces = edited(pieces, list);
  const result: TextEdit[] = [];
  let at = 0;
  let insert = "";
  for (const piece of pieces) {
    if (typeof piece === "string") insert += piece;
    else {
      if (piece.from > at || insert !== "") result.push({ from: at, to: piece.from, insert });
      at = piece.to;
      insert = "";
    }
  }
  if (at < length || insert !== "") result.push({ from: at, to: length, insert });
  return result;
}
