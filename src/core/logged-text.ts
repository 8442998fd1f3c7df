import { CAUSE_CODES } from './cause-code.ts'
import { readIdentifier } from './identifier.ts'
import { withoutContacts } from './masked-text.ts'
import { readSince } from './since.ts'
import { plainLine } from './untrusted.ts'

/**
 * A text that may be of a person, among the parameters of an audit row. The log is for ever, so it keeps a keyed digest: equal texts
 * have equal ones, and nobody finds a text by trying them all. Whatever else turns it into text or JSON gets no part of it.
 */
export class PersonalText {
  readonly #text: string
  constructor(text: string) {
    this.#text = text
  }

  /** For the writer of the audit log alone. */
  reveal(): string {
    return this.#text
  }

  toJSON(): string {
    return '[personal]'
  }
}

const LONGEST = 200
// Bare digits are a phone or a RUT as well as an id.
const SURELY_ID = /^(ML|MELI|MERCADOLIBRE|PARIS|ODOO|OUTBOX|INBOUND|HUB)[-_ #:]?\d[\dA-Z-]{0,40}$|^S[-_ ]?\d{1,7}$/

/**
 * What the audit log keeps of what was typed in place of an id: the text itself only for one word that the hub holds something under, or that has
 * the shape of an id alone. Anything else may be a buyer's name, address, phone or RUT.
 */
export function loggedIdentifier(typed: unknown, held: boolean): unknown {
  const { text, eventId } = readIdentifier(typed)
  if (text === '') return typeof typed
  const isId = eventId !== null || SURELY_ID.test(text) || (held && !/[\s@]/.test(text))
  return isId ? plainLine(String(typed), LONGEST) : new PersonalText(text)
}

const CHANNEL = /^(mercadolibre|paris|odoo)(:[\w.-]{1,40})?$/
// Digits and signs alone: the reader of times takes words in brackets after them.
const TIME = /^[\d:.+TZmhdw -]{1,40}$/i
const OPTIONS = ['concise', 'detailed', 'replay', 'archive']
const WORDS: ReadonlySet<string> = new Set([...CAUSE_CODES, ...OPTIONS])

/** What the log keeps of any other word that was typed: a cause code, a channel, a time, an option. Any other may be of a person. */
export function loggedWord(typed: string): string | PersonalText {
  const isChannel = CHANNEL.test(typed) && withoutContacts(typed) === typed
  const isTime = TIME.test(typed) && readSince(typed) !== undefined
  return WORDS.has(typed) || isChannel || isTime ? typed : new PersonalText(typed)
}

/** The same of the words of a filter, without those that were not said. */
export function loggedWords(typed: Readonly<Record<string, string | null>>): Record<string, string | PersonalText> {
  const said = Object.entries(typed).flatMap(([name, value]) => (value === null ? [] : [[name, loggedWord(value)] as const]))
  return Object.fromEntries(said)
}
