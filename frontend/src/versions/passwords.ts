const NAMED = /(?:password|passwd|secret|token)[\w.-]*["']?[ \t]*(?:=|:(?=[ \t]))[ \t]*(.*)$/i;
const MOST_LINE = 2_000;

/**
 * Tell whether a text seems to hold a password itself: a line that names one and has a value written in it, or a
 * variable with a default. A variable alone, a path and a switch are no passwords.
 */
export function writesPasswords(text: string): boolean {
  return text.split("\n").some((whole) => {
    const line = whole.slice(0, MOST_LINE);
    if (line.trimStart().startsWith("#")) return false;
    const value = NAMED.exec(line)?.[1]?.replace(/\s#.*$/, "").trim().replace(/^["']|["'],?$/g, "") ?? "";
    if (/^\$\{\w+:?-[^}]+\}/.test(value)) return true;
    // Lists, mappings and anchors are written on; the name of a secret's file or variable says nothing.
    return value !== "" && !/^(?:[$[{&*|>/.]|(?:true|false|yes|no|on|off|null|~|\d)$)/i.test(value);
  });
}
