const MASK = '[personal]'
/** What is shorter stands in too many words that are no part of a person. */
const SHORTEST = 3
/** Within a longer word only what is as long as this is surely a value: `Ana` is no part of `banana`. */
const ANYWHERE_FROM = 8
/** Drivers cut what they send, and what they keep of an answer. */
const LONGEST_SENT = 200
const CUT_FROM = 499

/** Another system's words without the given values of a person, in whatever case, accents and escapes it repeats them. */
export function withoutValues(text: string, values: readonly string[]): string {
  const folded = foldedText(text)
  const wanted = [...new Set(values.flatMap(partsOf))].sort((a, b) => b.length - a.length)
  const found = wanted.flatMap((value) => placesOf(folded.text, value))
  if (text.length >= CUT_FROM) found.push(...cutOff(folded.text, wanted))
  return masked(
    text,
    found.map(([from, to]) => [folded.starts[from] ?? 0, folded.ends[to - 1] ?? text.length]),
  )
}

/** The same text without what looks like an e-mail address, a phone or a RUT, whosever it is. */
export function withoutContacts(text: string): string {
  return text
    .replace(/[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,8}/g, MASK)
    .replace(/(?<![\w-])\d{1,2}(?:\.\d{3}){2}-[\dk](?!\w)|(?<![\w-])\d{7,8}-[\dk](?!\w)/gi, (rut) => (isRut(rut) ? MASK : rut))
    .replace(/(?<![\w-])(?:\+\d(?:[ ().-]{0,2}\d){7,14}|(?:56[ -]?)?9[ -]?\d{4}[ -]?\d{4})(?![\w-])/g, MASK)
}

/** By its check digit, so that a SKU of the same shape mostly stays. */
function isRut(text: string): boolean {
  const digits = text.replace(/\D/g, '').slice(0, /k$/i.test(text) ? undefined : -1)
  const sum = digits
    .split('')
    .toReversed()
    .reduce((total, digit, at) => total + Number(digit) * (2 + (at % 6)), 0)
  return text.slice(-1).toUpperCase() === '0123456789K'.charAt((11 - (sum % 11)) % 11)
}

type Range = readonly [from: number, to: number]

/** A value as it was sent, and its parts: a refusal may quote the last name, or the street alone. */
function partsOf(value: string): string[] {
  const whole = foldedText(value.slice(0, LONGEST_SENT)).text.trim()
  const words = /\d|@/.test(value) ? whole.split(/ ?[,;] ?/) : whole.split(/[ ,;]+/)
  return [whole, ...words].filter((part) => part.length >= SHORTEST)
}

function placesOf(text: string, value: string): Range[] {
  const places: Range[] = []
  for (let at = text.indexOf(value); at >= 0; at = text.indexOf(value, at + 1)) {
    const end = at + value.length
    if (value.length >= ANYWHERE_FROM || !(isWord(text, at - 1) || isWord(text, end))) places.push([at, end])
  }
  return places
}

const isWord = (text: string, at: number): boolean => /[\p{L}\p{N}]/u.test(text.charAt(at))

/** The beginning of a value at the very end. */
function cutOff(text: string, values: readonly string[]): Range[] {
  const lengths = values.map((value) => {
    let length = Math.min(value.length - 1, text.length)
    while (length >= SHORTEST && !text.endsWith(value.slice(0, length))) length -= 1
    return length
  })
  const longest = Math.max(0, ...lengths)
  return longest < SHORTEST ? [] : [[text.length - longest, text.length]]
}

function masked(text: string, ranges: readonly Range[]): string {
  let kept = ''
  let done = 0
  for (const [from, to] of ranges.toSorted((a, b) => a[0] - b[0])) {
    if (from >= done) kept += text.slice(done, from) + MASK
    done = Math.max(done, to)
  }
  return kept + text.slice(done)
}

interface Folded {
  text: string
  /** Where each of its characters begins and ends in the text it was made of. */
  starts: number[]
  ends: number[]
}

const UNIT = /\s+|\\+u[\da-f]{4}|\\+[nrtbf]|\\+["'/]|\\+|&(?:#\d{1,7}|#x[\da-f]{1,6}|[a-z]{2,8});|[^]/giu

/** Without case, accents, escapes and runs of blanks, so that two spellings of one name are equal. */
function foldedText(given: string): Folded {
  const folded: Folded = { text: '', starts: [], ends: [] }
  for (const { 0: unit, index } of given.matchAll(UNIT)) {
    for (const letter of lettersOf(unit)) {
      if (letter === ' ' && folded.text.endsWith(' ')) continue
      folded.text += letter
      folded.starts.push(index)
      folded.ends.push(index + unit.length)
    }
  }
  return folded
}

// Per UTF-16 unit: an escape names half of a pair.
function lettersOf(unit: string): string[] {
  const plain = unescaped(unit).normalize('NFD').replace(/\p{M}/gu, '').toLowerCase()
  return plain.replace(/\s+/g, ' ').split('')
}

const NAMED: Record<string, string> = { amp: '&', quot: '"', apos: "'", lt: '<', gt: '>', nbsp: ' ' }

function unescaped(unit: string): string {
  if (unit.startsWith('\\')) {
    const code = /u([\da-f]{4})$/i.exec(unit)?.[1]
    if (code !== undefined) return String.fromCharCode(Number.parseInt(code, 16))
    return /[nrtbf]$/.test(unit) ? ' ' : unit.slice(-1) === '\\' ? '' : unit.slice(-1)
  }
  const entity = /^&(.+);$/.exec(unit)?.[1]
  if (entity === undefined) return unit
  if (!entity.startsWith('#')) return NAMED[entity.toLowerCase()] ?? entity.charAt(0) // `&iacute;`: the letter stands first
  const point = /^#x/i.test(entity) ? Number.parseInt(entity.slice(2), 16) : Number(entity.slice(1))
  return point <= 0x10ffff ? String.fromCodePoint(point) : ''
}
