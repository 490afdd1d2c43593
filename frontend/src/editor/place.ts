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

function read(line: string): Line | null {
  if (/^\s*(#|$)/.test(line)) return null;
  const found = KEY.exec(line);
  const dash = /^(\s*)- /.exec(line);
  const indent = dash ? (dash[1] as string).length + 2 : /^\s*/.exec(line)?.[0].length ?? 0;
  return { indent, key: found ? found[2] ?? found[3] ?? found[4] ?? "" : null };
}

/** `lineAt` gives the text of a line, 1 being the first; `before` is the caret's line up to the caret. */
export function caretAt(number: number, before: string, last: number, lineAt: (number: number) => string): Caret {
  const own = read(before);
  const key = !KEY.test(before) && /^\s*(- )?[\w.-]*$/.test(before);
  const indent = /^(\s*- )/.test(before) && own ? own.indent : /^\s*/.exec(before)?.[0].length ?? 0;
  const path: string[] = [];
  const siblings: string[] = [];
  if (!key && own?.key) path.unshift(own.key);
  let level = indent;
  for (let at = number - 1; at >= Math.max(1, number - FURTHEST) && level > 0; at--) {
    const line = read(lineAt(at));
    if (!line) continue;
    if (line.indent < level) {
      if (line.key !== null) path.unshift(line.key);
      level = line.indent;
    } else if (line.indent === indent && level === indent && line.key !== null) siblings.push(line.key);
    // Items of a list may stand under their key without being indented.
  }
  if (level === 0 && indent === 0) {
    for (let at = number - 1; at >= Math.max(1, number - FURTHEST); at--) {
      const line = read(lineAt(at));
      if (line?.indent === 0 && line.key !== null) siblings.push(line.key);
    }
  }
  for (let at = number + 1; at <= Math.min(last, number + FURTHEST); at++) {
    const line = read(lineAt(at));
    if (!line) continue;
    if (line.indent < indent) break;
    if (line.indent === indent && line.key !== null) siblings.push(line.key);
  }
  return { path, key, siblings };
}
