import { existsSync, readFileSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { z } from 'zod'

export interface AuditArguments {
  databaseUrl: string
  ledgers: { odoo: string; meli: string; paris: string }
  /** The hub's YAML file, null: none, so the default routing holds. */
  hubFile: string | null
  incidents: string | null
  quietSeconds: number
  json: boolean
}

/** An argument that cannot be used; its message names the argument and the fix. */
export class BadArgument extends Error {}

export const USAGE =
  'audit:ledgers [--home .rosh] [--database URL] [--ledgers odoo=FILE,meli=FILE,paris=FILE] [--config hub.yaml] [--incidents FILE] [--quiet-seconds 30] [--json]'

const root = fileURLToPath(new URL('../../../', import.meta.url))

/** Reads the command line; throws `BadArgument` for what cannot be used. */
export function readArguments(argv: readonly string[]): AuditArguments {
  const values = parsed(argv)
  const home = values.home === undefined ? join(root, '.rosh') : resolve(values.home)
  const quietSeconds = Number(values['quiet-seconds'] ?? '30')
  if (!Number.isFinite(quietSeconds) || quietSeconds < 0) throw new BadArgument('--quiet-seconds: a number of seconds, 0 or more')
  return {
    databaseUrl: values.database ?? embeddedUrl(home),
    ledgers: ledgersOf(values.ledgers, home),
    hubFile: hubFileOf(values.config, home),
    incidents: values.incidents === undefined ? null : existing(values.incidents, '--incidents'),
    quietSeconds,
    json: values.json ?? false,
  }
}

function parsed(argv: readonly string[]) {
  const text = { type: 'string' } as const
  try {
    return parseArgs({
      args: [...argv],
      options: {
        home: text,
        database: text,
        ledgers: text,
        config: text,
        incidents: text,
        'quiet-seconds': text,
        json: { type: 'boolean' },
      },
    }).values
  } catch (error) {
    throw new BadArgument(error instanceof Error ? error.message : String(error))
  }
}

function ledgersOf(given: string | undefined, home: string): AuditArguments['ledgers'] {
  const ledgers = {
    odoo: join(home, 'odoo-sim.ledger.jsonl'),
    meli: join(home, 'meli-sim.ledger.jsonl'),
    paris: join(home, 'paris-mock.ledger.jsonl'),
  }
  for (const part of (given ?? '').split(',').filter(Boolean)) {
    const [name, path] = part.split('=')
    if ((name !== 'odoo' && name !== 'meli' && name !== 'paris') || !path)
      throw new BadArgument(`--ledgers: "${part}" is not odoo=FILE, meli=FILE or paris=FILE`)
    ledgers[name] = resolve(path)
  }
  for (const [name, path] of Object.entries(ledgers)) existing(path, `--ledgers ${name}`)
  return ledgers
}

function hubFileOf(given: string | undefined, home: string): string | null {
  if (given !== undefined) return existing(given, '--config')
  return [join(home, 'hub.yaml'), join(root, 'seed/hub.yaml'), join(root, 'hub.yaml')].find((path) => existsSync(path)) ?? null
}

function existing(path: string, argument: string): string {
  const full = resolve(path)
  if (!existsSync(full)) throw new BadArgument(`${argument}: there is no file ${full}`)
  return full
}

const Coordinates = z.object({ port: z.int(), ownerPassword: z.string() })

/** The embedded server's owner: it reads every table, and nothing here writes. */
function embeddedUrl(home: string): string {
  const path = join(home, 'postgres.json')
  if (!existsSync(path)) throw new BadArgument(`--home: ${path} is not there; start the hub once, or name a database with --database`)
  let value: unknown
  try {
    value = JSON.parse(readFileSync(path, 'utf8'))
  } catch {
    throw new BadArgument(`--home: ${path} is not JSON`)
  }
  const read = Coordinates.safeParse(value)
  if (!read.success) throw new BadArgument(`--home: ${path} does not hold the port and the owner's password (in ${dirname(path)})`)
  return `postgresql://rosh_migrator:${encodeURIComponent(read.data.ownerPassword)}@127.0.0.1:${read.data.port}/rosh`
}
