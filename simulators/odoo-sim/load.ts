import type { Env } from './env.ts'
import type { Field } from './model-fields.ts'
import { invalidField, OdooError } from './odoo-error.ts'
import { modelOf } from './reading.ts'
import { all, find, insert, patch } from './tables.ts'
import { nameOf } from './computed.ts'
import { createRecord, writeRecords } from './writing.ts'

export interface LoadResult {
  ids: number[] | false
  messages: { type: 'error'; record: number; rows: { from: number; to: number }; field?: string; message: string; moreinfo?: unknown }[]
  nextrow: number
}

/** The call answers normally, but everything it did is rolled back. */
export class RolledBack extends Error {
  readonly result: unknown
  constructor(result: unknown) {
    super('rolled back')
    this.result = result
  }
}

const SERIALIZATION_TEXT = 'could not serialize access due to concurrent update\n'

/** What `load` answers when another transaction is just creating the same external id (verified on both). */
export function serializationResult(rows: number): LoadResult {
  return {
    ids: false,
    messages: [{ type: 'error', record: 0, rows: { from: 0, to: Math.max(0, rows - 1) }, message: SERIALIZATION_TEXT }],
    nextrow: 0,
  }
}

/** The external ids in the main `id` column: what a parallel `load` may collide on. */
export function externalIdsIn(fields: unknown, data: unknown): string[] {
  const column = Array.isArray(fields) ? fields.indexOf('id') : -1
  if (column < 0 || !Array.isArray(data)) return []
  const cells = (data as unknown[]).map((row): unknown => (Array.isArray(row) ? row[column] : null))
  return cells.filter((one): one is string => typeof one === 'string' && one !== '')
}

/** Odoo's import: idempotent by external id, of the order and of every line; lines without an id are added again. */
export function load(env: Env, model: string, fields: unknown, data: unknown): LoadResult {
  const columns = (Array.isArray(fields) ? fields : []).map((one) => String(one).split('/'))
  for (const path of columns) checkPath(env, model, path)
  const rows = (Array.isArray(data) ? data : []).map((row) => (Array.isArray(row) ? (row as unknown[]) : []))
  const result: { ids: number[]; messages: LoadResult['messages'] } = { ids: [], messages: [] }
  let record = 0
  for (const group of groupsOf(env, model, { columns, rows })) {
    const at = { record, rows: { from: group.from, to: group.to } }
    try {
      result.ids.push(loadRecord(env, model, { columns, rows: rows.slice(group.from, group.to + 1) }))
    } catch (error) {
      if (!(error instanceof CellError) && !(error instanceof OdooError)) throw error
      const field = error instanceof CellError ? { field: error.field } : {}
      result.messages.push({
        type: 'error',
        ...at,
        ...field,
        message: error instanceof OdooError ? error.inLanguage(env.user.lang) : error.message,
      })
    }
    record += 1
  }
  if (result.messages.length > 0) throw new RolledBack({ ids: false, messages: result.messages, nextrow: 0 })
  return { ids: result.ids, messages: [], nextrow: 0 }
}

class CellError extends Error {
  readonly field: string
  constructor(field: string, message: string) {
    super(message)
    this.field = field
  }
}

interface Sheet {
  columns: string[][]
  rows: unknown[][]
}

function checkPath(env: Env, model: string, path: string[]): void {
  const [name = '', ...rest] = path
  if (name === 'id' || name === '.id') return
  const field = modelOf(env, model).fields.get(name)
  if (!field) throw invalidField(model, name)
  if (rest.length > 0 && field.relation) checkPath(env, field.relation, rest)
}

const isEmpty = (cell: unknown) => cell === undefined || cell === null || cell === false || cell === ''

// A row whose own columns are all empty continues the record above it with one more line.
function groupsOf(env: Env, model: string, sheet: Sheet): { from: number; to: number }[] {
  const own = sheet.columns.map((path, index) => ({ path, index })).filter(({ path }) => typeOf(env, model, path[0])?.type !== 'one2many')
  const groups: { from: number; to: number }[] = []
  sheet.rows.forEach((row, index) => {
    const last = groups.at(-1)
    if (last && own.every((column) => isEmpty(row[column.index]))) last.to = index
    else groups.push({ from: index, to: index })
  })
  return groups
}

function typeOf(env: Env, model: string, name: string | undefined): Field | undefined {
  return modelOf(env, model).fields.get(name ?? '')
}

function loadRecord(env: Env, model: string, sheet: Sheet): number {
  const first = sheet.rows[0] ?? []
  const values: Record<string, unknown> = {}
  const keys = keysOf(sheet.columns, first)
  const target = targetOf(env, model, keys)
  const lineKeys: { field: string; key: string }[] = []
  sheet.columns.forEach((path, index) => {
    const [name = ''] = path
    const field = typeOf(env, model, name)
    if (!field || name === 'id') return
    if (field.type !== 'one2many') values[name] = cellValue(env, { model, name, field, sub: path[1] }, first[index])
    else if (values[name] === undefined) {
      const lines = lineCommands(env, field.relation ?? '', subSheet(sheet, name))
      values[name] = lines.commands
      for (const key of lines.created) lineKeys.push({ field: name, key })
    }
  })
  const known = new Set(target ? idsOf(env, model, target, lineKeys[0]?.field) : [])
  const id = target ?? createRecord(env, model, values).id
  if (target) writeRecords(env, model, [target], values)
  else if (keys.externalId) bindExternalId(env, keys.externalId, model, id)
  bindLines(env, { model, id, known, lineKeys })
  return id
}

function idsOf(env: Env, model: string, id: number, field: string | undefined): number[] {
  return ((field ? find(env.tables, env.tx, model, id)?.[field] : null) as number[] | null) ?? []
}

// New lines come in the order of their commands, so the keys are matched to the ids that were not there before.
function bindLines(env: Env, what: { model: string; id: number; known: Set<number>; lineKeys: { field: string; key: string }[] }): void {
  for (const field of new Set(what.lineKeys.map((one) => one.field))) {
    const relation = typeOf(env, what.model, field)?.relation ?? ''
    const fresh = idsOf(env, what.model, what.id, field).filter((id) => !what.known.has(id))
    const keys = what.lineKeys.filter((one) => one.field === field)
    keys.forEach(({ key }, index) => {
      const lineId = fresh[index]
      if (key && lineId !== undefined) bindExternalId(env, key, relation, lineId)
    })
  }
}

function subSheet(sheet: Sheet, name: string): Sheet {
  const picked = sheet.columns.map((path, index) => ({ path, index })).filter(({ path }) => path[0] === name)
  return { columns: picked.map(({ path }) => path.slice(1)), rows: sheet.rows.map((row) => picked.map(({ index }) => row[index])) }
}

function lineCommands(env: Env, model: string, sheet: Sheet): { commands: unknown[]; created: string[] } {
  const commands: unknown[] = []
  const created: string[] = []
  for (const row of sheet.rows) {
    if (row.every(isEmpty)) continue
    const keys = keysOf(sheet.columns, row)
    const target = targetOf(env, model, keys)
    const values: Record<string, unknown> = {}
    sheet.columns.forEach(([name = '', sub], index) => {
      const field = typeOf(env, model, name)
      if (field && name !== 'id') values[name] = cellValue(env, { model, name, field, sub }, row[index])
    })
    commands.push(target ? [1, target, values] : [0, 0, values])
    if (!target) created.push(keys.externalId ?? '')
  }
  return { commands, created }
}

interface Keys {
  externalId: string | null
  databaseId: number | null
}

function keysOf(columns: string[][], row: unknown[]): Keys {
  const cell = (name: string) => row[columns.findIndex((path) => path.length === 1 && path[0] === name)]
  const text = cell('id')
  const number = Number(cell('.id'))
  const key = isEmpty(text) ? null : String(text).includes('.') ? String(text) : `__import__.${String(text)}`
  if (key && key.split('.').length !== 2) {
    throw new CellError(
      'id',
      `The ID reference "${key}" must contain maximum one dot. They are used to refer to other modules ID, in the form: module.record_id`,
    )
  }
  return { externalId: key, databaseId: Number.isInteger(number) && number > 0 ? number : null }
}

function targetOf(env: Env, model: string, keys: Keys): number | null {
  if (keys.databaseId) return keys.databaseId
  return keys.externalId ? resolveExternalId(env, keys.externalId, model) : null
}

/** The record an external id stands for, the caller's own transaction included; null when there is none. */
function resolveExternalId(env: Env, key: string, model?: string): number | null {
  const row = externalIdRow(env, key)
  if (!row || (model && row.model !== model)) return null
  const id = Number(row.res_id)
  return find(env.tables, env.tx, String(row.model), id) ? id : null
}

export function externalIdRow(env: Env, key: string) {
  const stored = env.tables.externalIds.get(key)
  const row = stored === undefined ? undefined : find(env.tables, env.tx, 'ir.model.data', stored)
  if (row) return row
  for (const own of env.tx.changed.get('ir.model.data')?.values() ?? []) if (own && `${own.module}.${own.name}` === key) return own
  return undefined
}

function bindExternalId(env: Env, key: string, model: string, id: number): void {
  const [module = '', name = ''] = key.split('.')
  const old = externalIdRow(env, key)
  if (old) patch(env.tables, env.tx, { model: 'ir.model.data', id: old.id }, { model, res_id: id })
  else insert(env.tables, env.tx, 'ir.model.data', { module, name, model, res_id: id, noupdate: false })
}

function cellValue(env: Env, at: { model: string; name: string; field: Field; sub: string | undefined }, cell: unknown): unknown {
  const { field } = at
  if (field.type === 'many2one') return isEmpty(cell) ? false : relatedId(env, at, cell)
  if (field.type === 'many2many') {
    const parts = isEmpty(cell) ? [] : String(cell).split(',')
    return [[6, 0, parts.map((part) => relatedId(env, at, part.trim()))]]
  }
  if (isEmpty(cell)) return field.type === 'float' || field.type === 'integer' ? 0 : false
  if (field.type === 'float' || field.type === 'integer' || field.type === 'monetary') {
    const number = Number(cell)
    if (Number.isNaN(number)) throw new CellError(at.name, `'${String(cell)}' does not seem to be a number for field '${at.name}'`)
    return number
  }
  return cell
}

function relatedId(env: Env, at: { name: string; field: Field; sub: string | undefined }, cell: unknown): number {
  const relation = at.field.relation ?? ''
  const absent = (kind: string) => new CellError(at.name, `No matching record found for ${kind} '${String(cell)}' in field '${at.name}'`)
  if (at.sub === '.id') {
    const id = Number(cell)
    if (!Number.isInteger(id) || !find(env.tables, env.tx, relation, id)) throw absent('database id')
    return id
  }
  if (at.sub === 'id') {
    const id = resolveExternalId(env, String(cell), relation)
    if (id === null) throw absent('external id')
    return id
  }
  for (const row of all(env.tables, env.tx, relation)) {
    if (row.active !== false && (row.name === cell || row.default_code === cell || nameOf(env, relation, row) === cell)) return row.id
  }
  throw absent('name')
}
