import { computedValue, nameOf } from './computed.ts'
import { compileDomain, domainMentions } from './domain.ts'
import { type Env, microsToText } from './env.ts'
import type { Field, Model } from './model-fields.ts'
import { accessError, invalidField, valueError } from './odoo-error.ts'
import { all, find, type Row, type Value } from './tables.ts'

export interface Paging {
  offset?: unknown
  limit?: unknown
  order?: unknown
}

export function search(env: Env, model: string, domain: unknown, paging: Paging = {}): Row[] {
  mustBeReadable(env, model, 'search')
  const test = compileDomain(env, model, domain)
  const live = env.tables.models.get(model)?.fields.has('active') && env.context.active_test !== false && !domainMentions(domain, 'active')
  const found: Row[] = []
  for (const row of all(env.tables, env.tx, model)) if ((!live || row.active !== false) && test(row)) found.push(row)
  sortRows(env, model, found, paging.order)
  const offset = typeof paging.offset === 'number' ? paging.offset : 0
  const limit = typeof paging.limit === 'number' && paging.limit > 0 ? paging.limit : found.length
  return found.slice(offset, offset + limit)
}

/** `read`: missing ids are left out, as on both real servers. */
export function read(
  env: Env,
  model: string,
  ids: number[],
  options: { fields?: unknown; load?: unknown } = {},
): Record<string, unknown>[] {
  mustBeReadable(env, model, 'read')
  const rows = ids.map((id) => find(env.tables, env.tx, model, id)).filter((row) => row !== undefined)
  return readRows(env, model, rows, options)
}

export function readRows(env: Env, model: string, rows: Row[], options: { fields?: unknown; load?: unknown }): Record<string, unknown>[] {
  const definition = modelOf(env, model)
  const asked = Array.isArray(options.fields) && options.fields.length > 0 ? options.fields.map(String) : [...definition.fields.keys()]
  for (const name of asked) if (!definition.fields.has(name)) throw invalidField(model, name)
  const names = new Set(['id', ...asked])
  const pairs = options.load === undefined || options.load === '_classic_read'
  return rows.map((row) => {
    const record: Record<string, unknown> = {}
    for (const name of names) record[name] = shown(env, { model, name, field: definition.fields.get(name) as Field, pairs }, row)
    return record
  })
}

export function shown(env: Env, at: { model: string; name: string; field: Field; pairs: boolean }, row: Row): unknown {
  const computed = computedValue(env, at.model, at.name)
  const value: Value = computed ? computed(env, row) : (row[at.name] ?? null)
  switch (at.field.type) {
    case 'many2one':
      return typeof value === 'number' ? (at.pairs ? pairOf(env, at.field.relation ?? '', value) : value) : false
    case 'one2many':
    case 'many2many':
      return visibleIds(env, at.field.relation ?? '', (value as number[] | null) ?? [])
    case 'boolean':
      return value === true
    case 'integer':
    case 'float':
    case 'monetary':
      return typeof value === 'number' ? value : 0
    case 'datetime':
      return typeof value === 'number' ? microsToText(value) : (value ?? false)
    default:
      return value === null || value === '' ? false : value
  }
}

function pairOf(env: Env, relation: string, id: number): [number, string] | false {
  const row = find(env.tables, env.tx, relation, id)
  return row ? [id, nameOf(env, relation, row)] : false
}

function visibleIds(env: Env, relation: string, ids: number[]): number[] {
  return ids.filter((id) => find(env.tables, env.tx, relation, id) !== undefined)
}

function sortRows(env: Env, model: string, rows: Row[], order: unknown): void {
  const definition = modelOf(env, model)
  const text = typeof order === 'string' && order.trim() !== '' ? order : definition.order
  const keys = text.split(',').map((part) => {
    const match = /^\s*(\w+)(?:\s+(asc|desc))?\s*$/i.exec(part)
    if (!match) throw valueError(`Invalid order: ${text}`)
    const [, name = '', direction] = match
    if (!definition.fields.has(name)) throw invalidField(model, name)
    return { name, sign: direction?.toLowerCase() === 'desc' ? -1 : 1, computed: computedValue(env, model, name) }
  })
  if (!keys.some((key) => key.name === 'id')) keys.push({ name: 'id', sign: 1, computed: undefined })
  const valueOf = (row: Row, key: (typeof keys)[number]) => (key.computed ? key.computed(env, row) : (row[key.name] ?? null))
  rows.sort((left, right) => {
    for (const key of keys) {
      const difference = compareValues(valueOf(left, key), valueOf(right, key))
      if (difference !== 0) return difference * key.sign
    }
    return 0
  })
}

// PostgreSQL puts nulls last in ascending order.
function compareValues(left: Value, right: Value): number {
  if (left === right) return 0
  if (left === null) return 1
  if (right === null) return -1
  return left < right ? -1 : 1
}

/** Groups of one field with their counts; what finds a doubled `client_order_ref`. */
export function readGroup(env: Env, model: string, options: { domain: unknown; groupby: unknown; lazy: boolean } & Paging): unknown[] {
  const first = Array.isArray(options.groupby) ? String(options.groupby[0] ?? '') : String(options.groupby)
  const field = modelOf(env, model).fields.get(first)
  if (!field) throw invalidField(model, first)
  const groups = groupRows(env, model, { domain: options.domain, name: first, field })
  const all = [...groups.values()].map(({ key, count }) => ({
    [first]: key,
    [options.lazy ? `${first}_count` : '__count']: count,
    __domain: [
      '&',
      [first, '=', Array.isArray(key) ? key[0] : key],
      ...(Array.isArray(options.domain) ? (options.domain as unknown[]) : []),
    ],
  }))
  const offset = typeof options.offset === 'number' ? options.offset : 0
  return all.slice(offset, typeof options.limit === 'number' && options.limit > 0 ? offset + options.limit : undefined)
}

/** Odoo 19's successor of `read_group`; aggregates other than `__count` are not offered by this simulator. */
export function formattedReadGroup(
  env: Env,
  model: string,
  options: { domain: unknown; groupby: unknown; having: unknown } & Paging,
): unknown[] {
  const groups = readGroup(env, model, { ...options, lazy: false }) as Record<string, unknown>[]
  const having = Array.isArray(options.having) ? options.having : []
  return groups
    .filter((group) => having.every((term) => !Array.isArray(term) || term[0] !== '__count' || countMatches(Number(group.__count), term)))
    .map(({ __domain, ...group }) => ({ ...group, __extra_domain: [(__domain as unknown[])[1]] }))
}

function countMatches(count: number, [, operator, bound]: unknown[]): boolean {
  if (operator === '>') return count > Number(bound)
  if (operator === '>=') return count >= Number(bound)
  return operator === '=' ? count === Number(bound) : true
}

function groupRows(
  env: Env,
  model: string,
  by: { domain: unknown; name: string; field: Field },
): Map<string, { key: unknown; count: number }> {
  const groups = new Map<string, { key: unknown; count: number }>()
  for (const row of search(env, model, by.domain, { order: by.name })) {
    const key = shown(env, { model, name: by.name, field: by.field, pairs: true }, row)
    const text = JSON.stringify(key)
    const group = groups.get(text)
    if (group) group.count += 1
    else groups.set(text, { key, count: 1 })
  }
  return groups
}

export function fieldsGet(
  env: Env,
  model: string,
  options: { allfields: unknown; attributes: unknown },
): Record<string, Record<string, unknown>> {
  const wanted = Array.isArray(options.allfields) && options.allfields.length > 0 ? new Set(options.allfields.map(String)) : null
  const attributes = Array.isArray(options.attributes) && options.attributes.length > 0 ? new Set(options.attributes.map(String)) : null
  const result: Record<string, Record<string, unknown>> = {}
  for (const [name, field] of modelOf(env, model).fields) {
    if (wanted && !wanted.has(name)) continue
    const all = describe(env, model, name, field)
    result[name] = attributes ? Object.fromEntries(Object.entries(all).filter(([key]) => attributes.has(key))) : all
  }
  return result
}

function describe(env: Env, model: string, name: string, field: Field): Record<string, unknown> {
  const stored = computedValue(env, model, name) === undefined
  const label = name.replace(/_ids?$/, '').replaceAll('_', ' ')
  return {
    name,
    type: field.type,
    string: label.charAt(0).toUpperCase() + label.slice(1),
    help: false,
    readonly: field.readonly,
    required: field.required,
    store: stored,
    searchable: true,
    sortable: stored,
    ...(field.relation ? { relation: field.relation } : {}),
    ...(field.selection ? { selection: field.selection.map((key) => [key, key.replaceAll('_', ' ')]) } : {}),
  }
}

export function modelOf(env: Env, model: string): Model {
  return env.tables.models.get(model) as Model
}

/** The hub's user is no administrator: some models exist and may not be read (`ir.model.data` on 19, verified). */
export function mustBeReadable(env: Env, model: string, operation: string): void {
  if (env.admin) return
  const closed = modelOf(env, model).forbidden || (env.tables.version === 19 && model === 'ir.model.data')
  if (!closed) return
  throw accessError(
    `You are not allowed to access '${model}' (${model}) records.\n\nThis operation is allowed for the following groups:\n\t- Administration/Settings`,
    `No tiene permitido acceder a los registros '${model}' (${model}).\n\nEsta operación (${operation}) está permitida para los siguientes grupos:\n\t- Administración/Ajustes`,
  )
}
