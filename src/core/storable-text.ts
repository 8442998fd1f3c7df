const NUL_OR_SURROGATE = /\\u(?:0000|[dD][89a-fA-F])/
// A pair, a NUL, a half alone, or any other escape: a backslash that is itself escaped must not begin one.
const ESCAPE = /\\(?:u[dD][89abAB][\da-fA-F]{2}\\u[dD][c-fC-F][\da-fA-F]{2}|(u0000|u[dD][89a-fA-F][\da-fA-F]{2})|[^])/g

/**
 * Text that PostgreSQL takes, as text and inside JSON: NUL and halves of surrogate pairs become U+FFFD. One such character in a row that
 * holds another system's words would fail every write of that row, and its work would never end.
 */
export function storableText(text: string): string {
  return text.toWellFormed().replaceAll('\0', '\ufffd')
}

/** JSON text whose strings are all storable, before it is parsed. */
export function storableJson(text: string): string {
  if (!NUL_OR_SURROGATE.test(text)) return text
  return text.replace(ESCAPE, (escape: string, half?: string) => (half === undefined ? escape : '\\ufffd'))
}

/** The first characters, at most `longest`; a cut never leaves half of a pair behind. */
export function shortened(text: string, longest: number): string {
  const cut = text.slice(0, longest)
  return storableText(/[\ud800-\udbff]$/.test(cut) ? cut.slice(0, -1) : cut)
}
