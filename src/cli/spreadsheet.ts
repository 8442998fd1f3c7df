import { stringify } from 'csv-stringify/sync'

/**
 * Rows as one CSV text under a line of column names, RFC 4180, UTF-8 with the mark by which Excel knows it. A text that a spreadsheet would run as a
 * formula (`=`, `+`, `-`, `@` first, also full-width, or a tab) gets an apostrophe before it: words of buyers and marketplaces stand in these cells.
 */
export function spreadsheetOf<Row extends Record<string, string | number | null>>(
  columns: readonly (keyof Row & string)[],
  rows: readonly Row[],
): string {
  return stringify([...rows], { header: true, columns: [...columns], bom: true, escape_formulas: true, record_delimiter: 'windows' })
}
