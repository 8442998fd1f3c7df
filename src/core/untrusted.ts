/** Text of buyers, people and other systems. It travels only inside an object named `untrusted`, and never reads as instruction. */
export interface UntrustedText {
  text: string
  truncated: boolean
}

const LONGEST = 300

/**
 * Makes foreign text inert: no markup, no control, zero-width, direction or Unicode tag characters, one line, at most `longest`
 * characters. Null for what is empty afterwards. Total over every value.
 */
export function untrustedText(value: unknown, longest = LONGEST): UntrustedText | null {
  if (typeof value !== 'string') return null
  const text = strip(value.slice(0, longest * 8))
  if (text === '') return null
  return text.length > longest ? { text: text.slice(0, longest).toWellFormed(), truncated: true } : { text, truncated: false }
}

/** One line of our own words that may quote a name; the same treatment, as plain text. */
export function plainLine(value: string | null | undefined, longest = LONGEST): string {
  return untrustedText(value ?? '', longest)?.text ?? ''
}

/** A name, id or status that another system gave, kept as one short word: it can be compared, and never reads as a sentence. */
export function codeWord(value: string | null | undefined, longest = 60): string {
  return strip(value ?? '')
    .replace(/\s+/g, '_')
    .replace(/[^\p{L}\p{N}_.:/#+-]/gu, '')
    .slice(0, longest)
    .toWellFormed()
}

function strip(value: string): string {
  let text = value.toWellFormed()
  // Again and again: what is left of one tag may close another.
  for (let before = ''; before !== text; ) {
    before = text
    text = text.replace(/<[^<>]{0,400}>/g, ' ')
  }
  return (
    text
      .replace(/[<>]/g, ' ')
      // Cf holds zero-width and direction marks and the tag block, Co and Cn what has no agreed meaning.
      .replace(/[\p{Cc}\p{Cf}\p{Co}\p{Cn}\u2028\u2029]/gu, ' ')
      .replace(/\p{Variation_Selector}/gu, ' ')
      .replace(/\s+/g, ' ')
      .trim()
  )
}
