import { postMessage } from './chatter.ts'
import type { Env } from './env.ts'
import { HUB_UID } from './env.ts'
import { externalIdRow, load } from './load.ts'
import type { OdooVersion } from './model-fields.ts'
import { missingError, userError, valueError } from './odoo-error.ts'
import { fieldsGet, formattedReadGroup, mustBeReadable, read, readGroup, readRows, search } from './reading.ts'
import { backToDraft, cancelOrder, confirmOrder } from './sale-order.ts'
import { validatePicking } from './stock-picking.ts'
import { find, noteAct, patch } from './tables.ts'
import { createRecord, unlinkRecords, writeRecords } from './writing.ts'

export interface Call {
  model: string
  ids: number[]
  args: Record<string, unknown>
  transport: 'json2' | 'jsonrpc'
}

export interface Method {
  /** Works on records: over JSON-RPC the ids are the first positional argument. */
  records: boolean
  writes: boolean
  params: string[]
  required: string[]
  /** Named arguments beyond the list are accepted (`message_post`). */
  open?: boolean
  /** `create` and `write` take no keywords over JSON-RPC (verified on 14). */
  positionalOnly?: boolean
  /** `undefined` as a result is Python's None. */
  run(env: Env, call: Call): unknown
}

export function methodOf(version: OdooVersion, model: string, name: string): Method | undefined {
  const own = OWN[`${model}.${name}`]
  const method = own ?? COMMON[name]
  return method && (method.only === undefined || method.only === version) ? method : undefined
}

type Entry = Method & { only?: OdooVersion }

const COMMON: Record<string, Entry> = {
  search: reads(['domain', 'offset', 'limit', 'order'], ['domain'], (env, { model, args }) =>
    search(env, model, args.domain, args).map((row) => row.id),
  ),
  search_count: reads(
    ['domain', 'limit'],
    ['domain'],
    (env, { model, args }) => search(env, model, args.domain, { limit: args.limit, order: 'id' }).length,
  ),
  search_read: reads(['domain', 'fields', 'offset', 'limit', 'order', 'load'], [], (env, { model, args }) =>
    readRows(env, model, search(env, model, args.domain ?? [], args), args),
  ),
  read: { ...reads(['fields', 'load'], [], (env, { model, ids, args }) => read(env, model, ids, args)), records: true },
  read_group: reads(
    ['domain', 'fields', 'groupby', 'offset', 'limit', 'orderby', 'lazy'],
    ['domain', 'fields', 'groupby'],
    (env, { model, args }) => readGroup(env, model, { ...args, domain: args.domain, groupby: args.groupby, lazy: args.lazy !== false }),
  ),
  formatted_read_group: {
    ...reads(['domain', 'groupby', 'aggregates', 'having', 'offset', 'limit', 'order'], ['domain'], (env, { model, args }) =>
      formattedReadGroup(env, model, { ...args, domain: args.domain, groupby: args.groupby ?? [], having: args.having }),
    ),
    only: 19,
  },
  fields_get: reads(['allfields', 'attributes'], [], (env, { model, args }) => {
    mustBeReadable(env, model, 'read')
    return fieldsGet(env, model, { allfields: args.allfields, attributes: args.attributes })
  }),
  create: { ...writes(['vals_list'], ['vals_list'], create), records: false, positionalOnly: true },
  write: { ...writes(['vals'], ['vals'], write), positionalOnly: true },
  unlink: writes([], [], (env, { model, ids }) => {
    unlinkRecords(env, model, ids)
    return true
  }),
  load: {
    ...writes(['fields', 'data'], ['fields', 'data'], (env, { model, args }) => load(env, model, args.fields, args.data)),
    records: false,
  },
}

const OWN: Record<string, Entry> = {
  'sale.order.action_confirm': writes([], [], (env, call) => each(env, call, confirmOrder)),
  'sale.order.action_cancel': writes([], [], (env, call) => each(env, call, cancelOrder)),
  'sale.order.action_draft': writes([], [], (env, call) => each(env, call, backToDraft)),
  // Without a return statement in Odoo: the answer is None.
  'sale.order.action_lock': { ...writes([], [], (env, call) => lock(env, call, { locked: true })), only: 19 },
  'sale.order.action_unlock': writes([], [], (env, call) =>
    lock(env, call, env.tables.version === 19 ? { locked: false } : { state: 'sale' }),
  ),
  'sale.order.action_done': { ...writes([], [], (env, call) => lock(env, call, { state: 'done' }) ?? true), only: 14 },
  'sale.order.message_post': { ...writes(['body', 'subject', 'message_type', 'body_is_html'], [], post), open: true },
  'stock.picking.message_post': { ...writes(['body', 'subject', 'message_type', 'body_is_html'], [], post), open: true },
  'stock.picking.button_validate': writes([], [], (env, call) => each(env, call, validatePicking)),
  'ir.model.data.check_object_reference': reads(['module', 'xml_id', 'raise_on_access_error'], ['module', 'xml_id'], checkReference),
  'res.users.context_get': reads([], [], (env) => ({ lang: env.user.lang, tz: env.user.tz, uid: HUB_UID })),
  'res.users.apikeys.generate': { ...writes([], [], keysClosed), records: false, open: true, only: 19 },
  'res.users.apikeys.revoke': { ...writes([], [], keysClosed), records: false, open: true, only: 19 },
}

function reads(params: string[], required: string[], run: Method['run']): Entry {
  return { records: false, writes: false, params, required, run }
}

function writes(params: string[], required: string[], run: Method['run']): Entry {
  return { records: true, writes: true, params, required, run }
}

// JSON-2 answers a list even for one dict; over JSON-RPC a dict gives an integer (both verified).
function create(env: Env, { model, args, transport }: Call): unknown {
  const list = Array.isArray(args.vals_list) ? args.vals_list : [args.vals_list]
  const ids = list.map((values) => createRecord(env, model, values).id)
  return Array.isArray(args.vals_list) || transport === 'json2' ? ids : ids[0]
}

function write(env: Env, { model, ids, args }: Call): true {
  writeRecords(env, model, ids, args.vals)
  return true
}

function each(env: Env, { model, ids }: Call, act: (env: Env, id: number) => unknown): unknown {
  for (const id of ids) if (!find(env.tables, env.tx, model, id)) throw missingError(model, [id])
  let result: unknown = true
  for (const id of ids) result = act(env, id)
  return result
}

function lock(env: Env, { ids }: Call, values: { locked: boolean } | { state: string }): undefined {
  for (const id of ids) {
    patch(env.tables, env.tx, { model: 'sale.order', id }, values)
    noteAct(env.tx, id, 'updated')
  }
}

function post(env: Env, { model, ids, args }: Call): unknown {
  const [id] = ids
  if (id === undefined || ids.length !== 1) throw valueError(`Expected singleton: ${model}(${ids.join(', ')})`)
  const subject = typeof args.subject === 'string' ? { subject: args.subject } : {}
  const message = postMessage(env, model, id, { body: String(args.body ?? ''), bodyIsHtml: args.body_is_html === true, ...subject })
  return env.tables.version === 14 ? message : [message]
}

function checkReference(env: Env, { args }: Call): unknown {
  const key = `${String(args.module)}.${String(args.xml_id)}`
  const row = externalIdRow(env, key)
  if (!row || !find(env.tables, env.tx, String(row.model), Number(row.res_id))) {
    throw valueError(`External ID not found in the system: ${key}`)
  }
  return [row.model, row.res_id]
}

function keysClosed(): never {
  throw userError('Programmatic API keys are not enabled', 'Las claves API programáticas no están habilitadas')
}
