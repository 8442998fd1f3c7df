import { stringify } from 'csv-stringify/sync'

export type Separator = ',' | ';'

/**
 * Rows as one CSV text under a line of column names, RFC 4180, UTF-8 with the mark by which Excel knows it. A text that a spreadsheet would run as a
 * formula (`=`, `+`, `-`, `@` first, also full-width, or a tab) gets an apostrophe before it: words of buyers and marketplaces stand in these cells.
 */
export function spreadsheetOf<Row extends Record<string, string | number | null>>(
  columns: readonly (keyof Row & string)[],
  rows: readonly Row[],
  separator: Separator = ',',
): string {
  return stringify(
    rows.map((row) => columns.map((column) => inertWithin(row[column] ?? null))),
    {
      header: true,
      columns: [...columns],
      delimiter: separator,
      bom: true,
      escape_formulas: true,
      record_delimiter: 'windows',
    },
  )
}

// A program that splits by another separator than ours, or at every line end, makes cells of what follows one; blanks and quotes before a sign keep
// no program from running it.
const inertWithin = (cell: string | number | null): string | number | null =>
  typeof cell === 'string' ? cell.replaceAll(/(^[\s"]+|[,;\t\r\n][\s"]*)(?=[=+\-@\uFF1D\uFF0B\uFF0D\uFF20])/g, "$1'") : cell
