import { GLYPHS, type GlyphName } from "./glyphs";

/** An icon of a card; always beside words that say the same. */
export function Glyph({ name, size = 16, className = "" }: { name: GlyphName; size?: number; className?: string }) {
  return (
    <svg className={`d-glyph ${className}`} width={size} height={size} viewBox="0 0 24 24" aria-hidden="true">
      <path d={GLYPHS[name]} />
    </svg>
  );
}
