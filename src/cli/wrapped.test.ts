import { expect, test } from 'vitest'
import { printWrapped } from './wrapped.ts'

function printed(columns: number | undefined, head: string, text: string): string[] {
  const lines: string[] = []
  printWrapped(
    { env: {}, signal: new AbortController().signal, print: (line) => lines.push(line), progress: () => {}, columns },
    head,
    text,
  )
  return lines
}

test('a text goes on below itself where the terminal ends', () => {
  expect(printed(40, '  next: ', 'Map the SKU to a product of mercadolibre:1, then replay.')).toEqual([
    '  next: Map the SKU to a product of',
    '        mercadolibre:1, then replay.',
  ])
})

test('in a pipe every line stays whole, and a word that is longer than the terminal is never cut', () => {
  const long = 'x'.repeat(100)
  expect(printed(undefined, '- ', `${long} ${long}`)).toEqual([`- ${long} ${long}`])
  expect(printed(40, '- ', `a ${long} b`)).toEqual(['- a', `  ${long}`, '  b'])
})
