import { existsSync, readFileSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { z } from 'zod'
import { type Run, readRun } from './run-record.ts'
import { type AuditInput, LONGEST_TRANSACTION_MS } from './world.ts'

export interface AuditArguments extends AuditInput {
  json: boolean
  watch: boolean
}

/** An argument that cannot be used; its message names the argument and the fix. */
export class BadArgument extends Error {}

export const USAGE = `audit:ledgers [options]
  --home FOLDER          the hub's home, default ROSH_HOME or .rosh: its database, ledgers and hub.yaml
  --database URL         another database; ledgers and hub.yaml stay those of the home unless named
  --ledgers odoo=FILE,meli=FILE,paris=FILE
  --config FILE          the hub's YAML file, default the home's hub.yaml, ROSH_CONFIG, or the one that the hub starts with
  --incidents FILE|none  what is meant to be wrong; default seed/monday-incidents.json while the home's hub is a demo (npm start), else none
  --quiet-seconds N      what changed within the last N seconds is not judged yet, default 30
  --record FILE          the run record of a harness: seed, injected row, faulty channels, lost window; names the command that makes the run again
  --samples FILE         what a sampler wrote beside the run; without it I8 and I9 are not judged
  --longest-transaction-ms N  from how many milliseconds on a sampled transaction breaks I8, default ${LONGEST_TRANSACTION_MS}
  --scenario D5,A4       injected rows of the failure catalogue, beside those of the record; each takes out what it must
  --canaries FILE        {"personal": [...], "secrets": [...]} that must stand nowhere, beside the ledgers' own buyers and path secrets
  --scan FILE            a log or a tool's output to look for them in; may be given several times
  --json                 one JSON object instead of the table
  --watch                looks again and again, one JSON line each: how many orders agree, how many incidents show
Exit code: 0 no breach, 1 a breach, 2 the audit could not be made.`

const root = fileURLToPath(new URL('../../../', import.meta.url))

/** Reads the command line; throws `BadArgument` for what cannot be used. */
export function readArguments(argv: readonly string[], env: Record<string, string | undefined> = {}): AuditArguments {
  const values = parsed(argv)
  const home = resolve(root, values.home ?? env.ROSH_HOME ?? '.rosh')
  const isDemo = isDemoHome(home)
  const quietSeconds = Number(values['quiet-seconds'] ?? '30')
  if (!Number.isFinite(quietSeconds) || quietSeconds < 0) throw new BadArgument('--quiet-seconds: a number of seconds, 0 or more')
  const longestTransactionMs = Number(values['longest-transaction-ms'] ?? LONGEST_TRANSACTION_MS)
  if (!Number.isFinite(longestTransactionMs) || longestTransactionMs <= 0)
    throw new BadArgument('--longest-transaction-ms: a number of milliseconds above 0')
  return {
    databaseUrl: values.database ?? embeddedUrl(home),
    ledgers: ledgersOf(values.ledgers, home),
    hubFile: hubFileOf(values.config ?? env.ROSH_CONFIG, home, isDemo),
    incidents: incidentsOf(values.incidents, isDemo),
    quietSeconds,
    run: values.record === undefined ? null : recorded(existing(values.record, '--record')),
    samples: optional(values.samples, '--samples'),
    longestTransactionMs,
    canaries: optional(values.canaries, '--canaries'),
    scan: (values.scan ?? []).map((path) => existing(path, '--scan')),
    scenarios: (values.scenario ?? '').split(',').filter(Boolean),
    json: values.json ?? false,
    watch: values.watch ?? false,
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
        record: text,
        samples: text,
        'longest-transaction-ms': text,
        canaries: text,
        scenario: text,
        scan: { type: 'string', multiple: true },
        json: { type: 'boolean' },
        watch: { type: 'boolean' },
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

function hubFileOf(given: string | undefined, home: string, isDemo: boolean): string | null {
  if (given !== undefined) return existing(resolve(root, given), '--config')
  return [join(home, 'hub.yaml'), join(root, isDemo ? 'seed/hub.yaml' : 'hub.yaml')].find((path) => existsSync(path)) ?? null
}

/** A demo's home holds the seeded Monday, so its incidents are expected there. */
function incidentsOf(given: string | undefined, isDemo: boolean): string | null {
  if (given === 'none') return null
  if (given !== undefined) return existing(given, '--incidents')
  return isDemo ? join(root, 'seed/monday-incidents.json') : null
}

const Instance = z.object({ demo: z.boolean() })

function isDemoHome(home: string): boolean {
  const path = join(home, 'instance.json')
  if (!existsSync(path)) return false
  const read = Instance.safeParse(jsonIn(path, '--home'))
  return read.success && read.data.demo
}

function recorded(path: string): Run {
  try {
    return readRun(path)
  } catch (error) {
    throw new BadArgument(`--record: ${error instanceof Error ? error.message : String(error)}`)
  }
}

const optional = (path: string | undefined, argument: string): string | null => (path === undefined ? null : existing(path, argument))

function existing(path: string, argument: string): string {
  const full = resolve(path)
  if (!existsSync(full)) throw new BadArgument(`${argument}: there is no file ${full}`)
  return full
}

function jsonIn(path: string, argument: string): unknown {
  try {
    return JSON.parse(readFileSync(path, 'utf8')) as unknown
  } catch {
    throw new BadArgument(`${argument}: ${path} is not JSON`)
  }
}

const Coordinates = z.object({ port: z.int(), ownerPassword: z.string() })

/** The embedded server's owner: it reads every table, and nothing here writes. */
function embeddedUrl(home: string): string {
  const path = join(home, 'postgres.json')
  if (!existsSync(path)) throw new BadArgument(`--home: ${path} is not there; start the hub once, or name a database with --database`)
  const read = Coordinates.safeParse(jsonIn(path, '--home'))
  if (!read.success) throw new BadArgument(`--home: ${path} does not hold the port and the owner's password (in ${dirname(path)})`)
  return `postgresql://rosh_migrator:${encodeURIComponent(read.data.ownerPassword)}@127.0.0.1:${read.data.port}/rosh`
}
