/** Where the caret stands in the text: the keys above it by indentation, read upwards from its line. */
export interface Caret {
  path: string[];
  /** True when a key is being written, false for a value behind a colon. */
  key: boolean;
  /** Keys that the mapping around it has already. */
  siblings: string[];
}

const KEY = /^(\s*)(?:- )?(?:"([^"]*)"|'([^']*)'|([^\s#:'"][^:#]*?))\s*:(?:\s|$)/;
const FURTHEST = 5_000;

interface Line {
  indent: number;
  key: string | null;
}

/** How far a line is indented, the dash of a list's item counted in; -1 for empty lines and comments. */
function indentOf(line: string): number {
  let at = 0;
  while (line[at] === " " || line[at] === "\t") at++;
  if (at === line.length || line[at] === "#") return -1;
  return line[at] === "-" && line[at + 1] === " " ? at + 2 : at;
}

function read(line: string): Line | null {
  const indent = indentOf(line);
  if (indent < 0) return null;
  const found = KEY.exec(line);
  return { indent, key: found ? found[2] ?? found[3] ?? found[4] ?? "" : null };
}

/** `lineAt` gives the text of a line, 1 being the first; `before` is the caret's line up to the caret. */
export function caretAt(number: number, before: string, last: number, lineAt: (number: number) => string): Caret {
  const own = read(before);
  const key = !KEY.test(before) && /^\s*(- )?[\w.-]*$/.test(before);
  const indent = /^\s*- /.test(before) && own ? own.indent : /^\s*/.exec(before)?.[0].length ?? 0;
  const path: string[] = [];
  const siblings: string[] = [];
  if (!key && own?.key) path.unshift(own.key);
  const furthest = Math.max(1, number - FURTHEST);
  let level = indent;
  for (let at = number - 1; at >= furthest; at--) {
    const text = lineAt(at);
    const depth = indentOf(text);
    if (depth < 0 || depth > level) continue;
    if (depth === level) {
      // Only those in the same mapping: further up there are other ones of the same depth.
      const sibling = key && level === indent ? read(text)?.key : null;
      if (sibling) siblings.push(sibling);
    } else {
      const above = read(text)?.key;
      if (above) path.unshift(above);
      level = depth;
    }
    if (level === 0 && indent > 0) break;
  }
  for (let at = number + 1; key && at <= Math.min(last, number + FURTHEST); at++) {
    const text = lineAt(at);
    const depth = indentOf(text);
    if (depth < 0 || depth > indent) continue;
    if (depth < indent) break;
    const sibling = read(text)?.key;
    if (sibling) siblings.push(sibling);
  }
  return { path, key, siblings };
}
