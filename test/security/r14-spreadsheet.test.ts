import { expect, test } from 'vitest'
import { spreadsheetOf } from '../../src/cli/spreadsheet.ts'

const cellOf = (text: string): string => spreadsheetOf(['summary'], [{ summary: text }]).split('\r\n')[1] ?? ''

test.each(['=1+1', '+56 9 1234', '-2', '@SUM(A1)', '\t=1', '＝1'])('%j is text to a spreadsheet', (text) => {
  expect(cellOf(text)).toBe(`'${text}`)
})

test('a formula behind a quote, a comma or a line end stays within its inert cell', () => {
  expect(cellOf('=HYPERLINK("https://x","y")')).toBe(`"'=HYPERLINK(""https://x"",""y"")"`)
  const twoLines = spreadsheetOf(['a', 'b'], [{ a: 'one\r\n=2', b: 'x,=3' }])
  expect(twoLines.slice(twoLines.indexOf('\r\n') + 2)).toBe('"one\r\n=2","x,=3"\r\n')
})

test('columns keep their order, numbers stay numbers, what is unknown is empty', () => {
  expect(spreadsheetOf(['id', 'tries', 'order'], [{ order: null, tries: -8, id: 'outbox-17' }])).toBe(
    '\ufeffid,tries,order\r\noutbox-17,-8,\r\n',
  )
})
