import { expect, test } from 'vitest'
import { spreadsheetOf } from '../../src/cli/spreadsheet.ts'

const cellOf = (text: string): string => spreadsheetOf(['summary'], [{ summary: text }]).split('\r\n')[1] ?? ''

test.each(['=1+1', '+56 9 1234', '-2', '@SUM(A1)', '\t1', '＝1'])('%j is text to a spreadsheet', (text) => {
  expect(cellOf(text)).toBe(`'${text}`)
})

test('a formula with quotes and commas stays one inert cell', () => {
  expect(cellOf('=HYPERLINK("https://x","y")')).toBe(`"'=HYPERLINK(""https://x"",""y"")"`)
})

test.each(['x;=1+1', 'x, +2', 'x\t-3', 'x\n@SUM(A1)', 'x\r\n=1', 'x;＝1', 'x;"=1', 'x\n""=1', ' =1', '"=1'])(
  'a program that splits %j by another separator finds no formula in it',
  (text) => {
    for (const separator of [',', ';'] as const) {
      const [, ...lines] = spreadsheetOf(['summary', 'b'], [{ summary: text, b: 'y' }], separator).split(/[;,\t\r\n]+/)
      for (const part of lines) expect(part.replace(/^[\s"]+/, '')).not.toMatch(/^[=+\-@＝]/)
    }
  },
)

test('columns keep their order, numbers stay numbers, what is unknown is empty', () => {
  expect(spreadsheetOf(['id', 'tries', 'order'], [{ order: null, tries: -8, id: 'outbox-17' }])).toBe(
    '\ufeffid,tries,order\r\noutbox-17,-8,\r\n',
  )
})
