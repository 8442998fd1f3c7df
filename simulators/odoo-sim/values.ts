import type { Env } from './env.ts'
import type { Field } from './model-fields.ts'
import { invalidField, missingError, typeError, validationError, valueError } from './odoo-error.ts'
import { modelOf } from './reading.ts'
import { find, type Value } from './tables.ts'

/** Names checked against the model, as Odoo does before anything else. */
export function checkValues(env: Env, model: string, values: unknown): Record<string, unknown> {
  if (typeof values !== 'object' || values === null || Array.isArray(values))
    throw typeError(`values must be a dict, not ${JSON.stringify(values)}`)
  const fields = modelOf(env, model).fields
  for (const name of Object.keys(values)) if (!fields.has(name)) throw invalidField(model, name)
  return values as Record<string, unknown>
}

export function mustHaveRequired(env: Env, model: string, given: Record<string, unknown>): void {
  for (const [name, field] of modelOf(env, model).fields) {
    if (!field.required || (given[name] !== undefined && given[name] !== false && given[name] !== null)) continue
    throw validationError(
      `The operation cannot be completed:\n- Create/update: a mandatory field is not set.\n\nModel: ${model}, Field: ${name}`,
      `La operación no se puede completar:\n- Crear/actualizar: un campo obligatorio no está asignado.\n\nModelo: ${model}, Campo: ${name}`,
    )
  }
}

/** Values as they are stored; relations are checked, computed fields left out, commands of many2many resolved. */
export function plainValues(env: Env, model: string, given: Record<string, unknown>): Record<string, Value> {
  const plain: Record<string, Value> = {}
  for (const [name, value] of Object.entries(given)) {
    const field = modelOf(env, model).fields.get(name) as Field
    if (name === 'id' || field.type === 'one2many' || (field.readonly && !env.admin)) continue
    plain[name] = field.type === 'many2many' ? linkedIds(value) : toStored(env, { model, name, field }, value)
  }
  return plain
}

function toStored(env: Env, at: { model: string; name: string; field: Field }, value: unknown): Value {
  if (value === false || value === null || value === undefined) return at.field.type === 'boolean' ? false : null
  switch (at.field.type) {
    case 'many2one':
      if (typeof value !== 'number') throw valueError(`Wrong value for ${at.model}.${at.name}: ${JSON.stringify(value)}`)
      if (!find(env.tables, env.tx, at.field.relation ?? '', value)) throw missingError(at.field.relation ?? '', [value])
      return value
    case 'integer':
    case 'float':
    case 'monetary': {
      const number = Number(value)
      if (Number.isNaN(number)) throw valueError(`could not convert string to float: '${String(value)}'`)
      return number
    }
    case 'boolean':
      return Boolean(value)
    case 'selection':
      if (!at.field.selection?.includes(String(value))) throw valueError(`Wrong value for ${at.model}.${at.name}: '${String(value)}'`)
      return String(value)
    default:
      return String(value)
  }
}

function linkedIds(value: unknown): number[] {
  if (!Array.isArray(value)) return []
  if (value.every((one) => typeof one === 'number')) return value
  let ids: number[] = []
  for (const command of value as unknown[]) {
    const [code, id, list] = Array.isArray(command) ? (command as unknown[]) : []
    if (code === 6) ids = Array.isArray(list) ? list.filter((one) => typeof one === 'number') : []
    else if (code === 5) ids = []
    else if (code === 4 && typeof id === 'number') ids.push(id)
    else if (code === 3) ids = ids.filter((one) => one !== id)
    else throw valueError(`Invalid command ${JSON.stringify(command)}`)
  }
  return [...new Set(ids)]
}
