import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { z } from 'zod'
import { HubFile } from './config-file.ts'
import { REPLACED, Variables } from './config-variables.ts'
import { packageRoot } from './home.ts'

// Writes what is derived from the schemas of the configuration. `--check` writes nothing and exits 1 naming what is stale.

type Schema = z.core.JSONSchema.BaseSchema

interface Variable {
  name: string
  says: string
  /** What is allowed, in words; empty for free text. */
  takes: string
  fallback: string | undefined
}

const NOTE = 'Written by `npm run generate` from the schemas of the configuration; edit those instead.'

// In reading order; the first pattern that fits a name decides, and a name that fits none stops the generator.
const GROUPS: readonly [title: string, pattern: RegExp][] = [
  ['Deployment', /^(ENV|LOG_LEVEL|ROSH_)/],
  ['Database', /^((MIGRATOR_)?DATABASE_URL|APP_DB_)/],
  ['Ports', /PORT$/],
  ['Odoo', /^ODOO_/],
  ['MercadoLibre', /^ML_/],
  ['Paris', /^PARIS_/],
  ['Retries and rhythm', /^(ADAPTER_|OUTBOX_|RECONCILER_)/],
  ['Google Secret Manager', /^(USE_SECRET_MANAGER|GCP_|GCE_|SECRET_MANAGER_)/],
  ['Agents (MCP)', /^MCP_/],
]

/** Path below the package to the whole text of each generated file. */
export function generatedFiles(): Record<string, string> {
  const groups = grouped(variables())
  return {
    '.env.example': envExample(groups),
    'docs/configuration.md': [...head(), ...variableTables(groups), ...fileTable(), ...replacedTable()].join('\n'),
  }
}

function variables(): Variable[] {
  // `input`: what a person writes, before a secret is wrapped or a number is read.
  const { properties = {} } = z.toJSONSchema(Variables, { io: 'input' })
  return Object.entries(properties).map(([name, schema]) => {
    if (typeof schema === 'boolean' || schema.description === undefined) throw new Error(`${name} has no description`)
    return {
      name,
      says: schema.description,
      takes: kindOf(schema),
      fallback: schema.default === undefined ? undefined : asText(schema.default),
    }
  })
}

function grouped(all: Variable[]): [title: string, of: Variable[]][] {
  const titleOf = ({ name }: Variable): string => {
    const group = GROUPS.find(([, pattern]) => pattern.test(name))
    if (!group) throw new Error(`${name} belongs to no group: add one to GROUPS in src/generate.ts`)
    return group[0]
  }
  return GROUPS.map(([title]) => [title, all.filter((variable) => titleOf(variable) === title)])
}

function envExample(groups: [string, Variable[]][]): string {
  const lines = groups.flatMap(([title, of]) => [
    '',
    `# --- ${title} ---`,
    ...of.flatMap(({ name, says, takes, fallback }) => [
      '',
      `# ${says}${takes === '' ? '' : ` (${takes})`}`,
      `# ${name}=${fallback ?? ''}`,
    ]),
  ])
  return [
    `# ${NOTE}`,
    '# Every variable the hub reads, with its default. Copy this file to .env and take away the # of what you set.',
    '# Without any of them everything is embedded: PostgreSQL and the three simulators.',
    ...lines,
    '',
  ].join('\n')
}

function head(): string[] {
  return [
    '# Configuration',
    '',
    `<!-- ${NOTE} -->`,
    '',
    'A part whose variables are set is real, the rest is embedded. Every problem is reported at once, with the name of its variable or field;',
    'nothing starts before all of them are mended. An empty value counts as not set, but for the secrets of webhooks: there it is refused.',
    '',
  ]
}

function variableTables(groups: [string, Variable[]][]): string[] {
  return [
    '## Variables',
    '',
    ...groups.flatMap(([title, of]) => [
      `### ${title}`,
      '',
      ...table(
        ['variable', 'default', 'takes', 'meaning'],
        of.map(({ name, fallback, takes, says }) => [code(name), fallback === undefined ? '' : code(fallback), takes, says]),
      ),
    ]),
  ]
}

function fileTable(): string[] {
  return [
    '## The YAML file',
    '',
    'What is not a secret: `ROSH_CONFIG`, or `hub.yaml` in the folder of the package; the demo brings its own. An unknown field is refused.',
    '',
    ...table(['field', 'takes', 'default', 'meaning'], fieldsOf(z.toJSONSchema(HubFile, { io: 'input' }), '')),
  ]
}

/** One row a field, those of nested objects below their parent; `<name>` stands for any key, `[]` for each item. */
function fieldsOf(schema: Schema, prefix: string): string[][] {
  const named = Object.entries(schema.properties ?? {}).map(([name, of]): [string, Schema | boolean] => [
    prefix ? `${prefix}.${name}` : name,
    of,
  ])
  const any: [string, Schema | boolean][] = schema.additionalProperties ? [[`${prefix}.<name>`, schema.additionalProperties]] : []
  const items: [string, Schema | boolean][] = isSchema(schema.items) ? [[`${prefix}[]`, schema.items]] : []
  return [...named, ...any, ...items].flatMap(([path, of]) => {
    if (!isSchema(of)) return []
    const hidden = of.description === undefined && (path.endsWith('[]') || path.endsWith('.<name>'))
    const row = [code(path), kindOf(of), of.default === undefined ? '' : code(asText(of.default)), of.description ?? '']
    return [...(hidden ? [] : [row]), ...fieldsOf(of, path)]
  })
}

function replacedTable(): string[] {
  return [
    '## Variables of earlier set-ups',
    '',
    'Setting one of these is reported at start, with what applies instead; none is ignored silently.',
    '',
    ...table(
      ['variable', 'instead'],
      Object.entries(REPLACED).map(([name, instead]) => [code(name), instead]),
    ),
  ]
}

function kindOf(schema: Schema): string {
  if (schema.const !== undefined) return code(asText(schema.const))
  if (schema.enum) return schema.enum.map((value) => code(asText(value))).join(', ')
  const either = schema.oneOf ?? schema.anyOf
  if (either) return either.map((one) => kindOf(one as Schema)).join(' or ')
  if (schema.type === 'array') return isSchema(schema.items) ? `list of ${kindOf(schema.items)}` : 'list'
  if (schema.type === 'object') return objectKind(schema)
  if (schema.type === 'boolean') return 'true or false'
  if (schema.type === 'integer' || schema.type === 'number')
    return `${schema.type === 'integer' ? 'whole number' : 'number'}${rangeOf(schema)}`
  return schema.format === 'uri' ? 'address' : 'text'
}

function objectKind(schema: Schema): string {
  const constants = Object.entries(schema.properties ?? {}).filter(([, of]) => isSchema(of) && of.const !== undefined)
  if (constants.length === 0) return 'mapping'
  return code(
    `{${Object.entries(schema.properties ?? {})
      .map(([name, of]) => `${name}: ${isSchema(of) ? asText(of.const ?? '…') : ''}`)
      .join(', ')}}`,
  )
}

function rangeOf(schema: Schema): string {
  const least = schema.exclusiveMinimum === undefined ? schema.minimum : `above ${schema.exclusiveMinimum}`
  const most = schema.maximum === Number.MAX_SAFE_INTEGER ? undefined : schema.maximum
  const range = [least ?? '', most === undefined ? '' : `to ${most}`].filter((part) => part !== '').join(' ')
  return range === '' ? '' : `, ${range}`
}

const isSchema = (schema: unknown): schema is Schema => typeof schema === 'object' && schema !== null && !Array.isArray(schema)
const code = (text: string): string => `\`${text}\``
const asText = (value: unknown): string => (typeof value === 'string' ? value : JSON.stringify(value))

function table(header: string[], rows: string[][]): string[] {
  const line = (cells: string[]): string => `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`
  return [line(header), line(header.map(() => '---')), ...rows.map(line), '']
}

function textOf(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return undefined
  }
}

function generate(check: boolean): number {
  const stale = Object.entries(generatedFiles()).filter(([path, text]) => textOf(join(packageRoot, path)) !== text)
  for (const [path, text] of stale) {
    if (check) console.error(`${path} is stale: run \`npm run generate\` and commit it`)
    else writeFileSync(join(packageRoot, path), text)
  }
  if (!check) console.log(stale.length === 0 ? 'everything is up to date' : `written: ${stale.map(([path]) => path).join(', ')}`)
  return check && stale.length > 0 ? 1 : 0
}

if (import.meta.main) process.exitCode = generate(process.argv.includes('--check'))
