/** Fold case and accents, so that `creer` finds « Créer ». */
export function folded(text: string): string {
  return text.normalize("NFD").replace(/\p{Diacritic}/gu, "").toLowerCase();
}

/**
 * Return the entries in which every word of the query begins a word, or stands within one; those that begin with the
 * query come first, then those with more words begun. Entries of one rank keep their order.
 */
export function rank<T>(entries: readonly T[], query: string, textOf: (entry: T) => string): T[] {
  const words = folded(query).split(/\s+/).filter(Boolean);
  const whole = words.join(" ");
  const scored = entries.flatMap((entry, index) => {
    const text = folded(textOf(entry));
    let score = text.startsWith(whole) ? 100 : 0;
    for (const word of words) {
      const at = text.indexOf(word);
      if (at < 0) return [];
      score += at === 0 || /[^\p{L}\p{N}]/u.test(text[at - 1] ?? "") ? 10 : 1;
    }
    return [{ entry, index, score }];
  });
  return scored.sort((a, b) => b.score - a.score || a.index - b.index).map(({ entry }) => entry);
}
