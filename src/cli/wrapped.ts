import type { CliContext } from './context.ts'

const NARROWEST = 40

/** Prints a text behind `head`; where the terminal is narrower, its further lines start below the text. A word is never cut. */
export function printWrapped({ print, columns }: CliContext, head: string, text: string): void {
  const width = columns === undefined ? Infinity : Math.max(NARROWEST, columns) - head.length
  let line = ''
  let start = head
  const flush = (): void => {
    print(`${start}${line}`.trimEnd())
    start = ' '.repeat(head.length)
    line = ''
  }
  for (const word of text.split(' ')) {
    if (line !== '' && line.length + 1 + word.length > width) flush()
    line = line === '' ? word : `${line} ${word}`
  }
  flush()
}
