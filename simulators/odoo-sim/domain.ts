import { computedValue, nameOf } from './computed.ts'
import { type Env, textToMicros } from './env.ts'
import type { Field } from './model-fields.ts'
import { invalidField, OdooError, valueError } from './odoo-error.ts'
import { find, type Row, type Value } from './tables.ts'

export type Predicate = (row: Row) => boolean

/** A search domain in prefix notation, checked and compiled. Raises `builtins.ValueError` like Odoo on a malformed one. */
export function compileDomain(env: Env, model: string, domain: unknown): Predicate {
  if (!Array.isArray(domain)) throw valueError(`Domain must be a list, not ${JSON.stringify(domain)}`)
  const stack: Predicate[] = []
  for (const term of (domain as unknown[]).toReversed()) {
    if (term === '!') {
      const one = pop(stack, domain)
      stack.push((row) => !one(row))
    } else if (term === '&' || term === '|') {
      const left = pop(stack, domain)
      const right = pop(stack, domain)
      stack.push(term === '&' ? (row) => left(row) && right(row) : (row) => left(row) || right(row))
    } else stack.push(compileLeaf(env, model, term))
  }
  return (row) => stack.every((predicate) => predicate(row))
}

/** True when the domain names the field itself: then archived records are not filtered out. */
export function domainMentions(domain: unknown, field: string): boolean {
  return Array.isArray(domain) && domain.some((term) => Array.isArray(term) && term[0] === field)
}

function pop(stack: Predicate[], domain: unknown[]): Predicate {
  const last = stack.pop()
  if (!last) throw valueError(`Invalid domain: ${JSON.stringify(domain)}`)
  return last
}

function compileLeaf(env: Env, model: string, term: unknown): Predicate {
  if (!Array.isArray(term) || term.length !== 3 || typeof term[1] !== 'string') {
    throw valueError(`Invalid leaf ${JSON.stringify(term)}`)
  }
  const [left, operator, value] = term as [unknown, string, unknown]
  if (left === 1 || left === 0) return () => (left === 1) === (value === 1)
  if (typeof left !== 'string') throw valueError(`Invalid leaf ${JSON.stringify(term)}`)
  if (!OPERATORS.has(operator)) throw valueError(`Invalid operator '${operator}' in domain term ${JSON.stringify(term)}`)
  const [name = '', ...rest] = left.split('.')
  const field = env.tables.models.get(model)?.fields.get(name)
  if (!field) throw valueError(`Invalid field ${model}.${name} in leaf ${JSON.stringify(term)}`)
  if (rest.length > 0 && rest[0] !== 'id') return throughRelation(env, { model, name, field }, [rest.join('.'), operator, value])
  checkRange(field, value)
  const test = tester(env, { model, name, field }, operator === '=?' ? '=' : operator, value)
  if (operator === '=?' && (value === false || value === null)) return () => true
  return (row) => test(readValue(env, model, name, row))
}

const OPERATORS = new Set([
  '=',
  '!=',
  '<>',
  '=?',
  '>',
  '>=',
  '<',
  '<=',
  'in',
  'not in',
  'like',
  'ilike',
  'not like',
  'not ilike',
  '=like',
  '=ilike',
])

interface Leaf {
  model: string
  name: string
  field: Field
}

function throughRelation(env: Env, leaf: Leaf, term: [string, string, unknown]): Predicate {
  const relation = leaf.field.relation
  if (!relation) throw invalidField(leaf.model, `${leaf.name}.${term[0]}`)
  const test = compileLeaf(env, relation, term)
  return (row) => {
    const value = readValue(env, leaf.model, leaf.name, row)
    const ids = Array.isArray(value) ? value : typeof value === 'number' ? [value] : []
    return ids.some((id) => {
      const target = find(env.tables, env.tx, relation, id)
      return target !== undefined && test(target)
    })
  }
}

function readValue(env: Env, model: string, name: string, row: Row): Value {
  const computed = computedValue(env, model, name)
  return computed ? computed(env, row) : (row[name] ?? null)
}

// The column is a 32-bit integer although JSON carries more (verified on 14).
function checkRange(field: Field, value: unknown): void {
  if (!['integer', 'many2one', 'one2many', 'many2many'].includes(field.type)) return
  for (const one of Array.isArray(value) ? value : [value]) {
    if (typeof one === 'number' && Math.abs(one) > 2147483647) {
      throw new OdooError('psycopg2.errors.NumericValueOutOfRange', 'integer out of range\n')
    }
  }
}

function tester(env: Env, leaf: Leaf, operator: string, value: unknown): (actual: Value) => boolean {
  const { field } = leaf
  if (field.type === 'many2one' && typeof value === 'string') return relationNameTester(env, leaf, operator, value)
  if (isStamp(leaf.name)) return stampTester(env, operator, value)
  if (operator.endsWith('like')) return likeTester(operator, value)
  if (operator === 'in' || operator === 'not in') return memberTester(operator, value)
  if (Array.isArray(value) && (operator === '=' || operator === '!=')) return memberTester(operator === '=' ? 'in' : 'not in', value)
  if (operator === '=') return (actual) => equal(actual, value)
  if (operator === '!=' || operator === '<>') return (actual) => !equal(actual, value)
  return (actual) => compare(actual, operator, value)
}

function isStamp(name: string): boolean {
  return name === 'write_date' || name === 'create_date' || name === '__last_update'
}

/** 14 compares raw microseconds, 19 the whole second of the column (both verified). */
function stampTester(env: Env, operator: string, value: unknown): (actual: Value) => boolean {
  if (value === false || value === null) return (actual) => (operator === '=' ? actual === null : actual !== null)
  const whole = (micros: number) => (env.tables.version === 19 ? Math.floor(micros / 1e6) * 1e6 : micros)
  const bounds = (Array.isArray(value) ? value : [value]).map((one) => {
    const micros = typeof one === 'string' ? textToMicros(one) : null
    if (micros === null)
      throw new OdooError('psycopg2.errors.InvalidDatetimeFormat', `invalid input syntax for type timestamp: "${String(one)}"`)
    return micros
  })
  return (actual) => {
    if (typeof actual !== 'number') return false
    if (operator === 'in') return bounds.includes(whole(actual))
    if (operator === 'not in') return !bounds.includes(whole(actual))
    return order(whole(actual), operator, bounds[0] ?? 0)
  }
}

function order(actual: number | string, operator: string, bound: number | string): boolean {
  switch (operator) {
    case '=':
      return actual === bound
    case '!=':
    case '<>':
      return actual !== bound
    case '>':
      return actual > bound
    case '>=':
      return actual >= bound
    case '<':
      return actual < bound
    case '<=':
      return actual <= bound
    default:
      return false
  }
}

function compare(actual: Value, operator: string, value: unknown): boolean {
  if (typeof actual === 'number' && typeof value === 'number') return order(actual, operator, value)
  if (typeof actual === 'string' && typeof value === 'string') return order(actual, operator, value)
  if (Array.isArray(actual) && typeof value === 'number') return actual.some((one) => order(one, operator, value))
  return false
}

function equal(actual: Value, value: unknown): boolean {
  const unset = value === false || value === null
  if (Array.isArray(actual)) return unset ? actual.length === 0 : actual.includes(value as number)
  if (actual === null || actual === false) return unset
  return actual === value
}

function memberTester(operator: string, value: unknown): (actual: Value) => boolean {
  const list = Array.isArray(value) ? value : [value]
  const wanted = new Set<unknown>(list)
  const unset = wanted.has(false) || wanted.has(null)
  const inside = (actual: Value): boolean => {
    if (Array.isArray(actual)) return actual.length === 0 ? unset : actual.some((one) => wanted.has(one))
    return actual === null || actual === false ? unset : wanted.has(actual)
  }
  return operator === 'in' ? inside : (actual) => !inside(actual)
}

function likeTester(operator: string, value: unknown): (actual: Value) => boolean {
  const negative = operator.startsWith('not ')
  const bare = negative ? operator.slice(4) : operator
  const text = bare.startsWith('=') ? String(value) : `%${String(value)}%`
  const source = text
    .replace(/[.*+?^${}()|[\]\\]/g, '\\$&')
    .replaceAll('%', '[^]*')
    .replaceAll('_', '[^]')
  const pattern = new RegExp(`^${source}$`, bare.endsWith('ilike') ? 'iu' : 'u')
  return (actual) => {
    const hit = actual !== null && actual !== false && pattern.test(String(actual))
    return negative ? !hit : hit
  }
}

function relationNameTester(env: Env, leaf: Leaf, operator: string, value: string): (actual: Value) => boolean {
  const relation = leaf.field.relation ?? ''
  const named =
    operator === '=' || operator === '!=' ? (actual: Value) => (actual === value) === (operator === '=') : likeTester(operator, value)
  return (actual) => {
    const row = typeof actual === 'number' ? find(env.tables, env.tx, relation, actual) : undefined
    return named(row ? nameOf(env, relation, row) : null)
  }
}
