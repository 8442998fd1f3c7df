import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import pg from 'pg'
import { z } from 'zod'
import { EXIT } from '../../../src/cli/context.ts'
import { runCommand } from '../../../src/cli/run-command.ts'
import { cloneDatabase } from '../../support/database.ts'
import { type Door, holds, type Input, type Judgement, type OpenDoor, sample } from '../door.ts'

const SECRET = 'a-secret-of-the-fuzzed-command-line'

/** Commands that end by themselves and write no file; the rest of each is what is mutated. */
const COMMANDS: readonly (readonly [command: string, args: readonly string[]])[] = [
  ['status', []],
  ['trace', ['ML-98345']],
  ['diagnose', ['S00042']],
  ['dlq list', ['--marketplace', 'paris', '--cause', 'sku-unknown', '--since', '7d']],
  ['dlq replay', ['outbox-17', '--reason', 'why']],
  ['dlq drain', ['--marketplace', 'paris', '--since', '2026-11-01T00:00:00Z', '--archive']],
  ['dlq drain', ['--execute', 'token', '--expect', '3']],
  ['retry', ['odoo-42', '--reason', 'why']],
  ['tokens issue', ['agent', 'orders.read,dlq.replay', '--days', '30']],
  ['tokens list', []],
  ['tokens revoke', ['17']],
  ['audit public-key', []],
  ['personal-data erase', ['ML-98345', '--yes', '--reason', 'asked for']],
]

/** The arguments of `rosh`, through the real program over a database. */
export const commandLineDoor: Door = {
  name: 'command-line',
  property:
    'Any arguments end in one of the documented exit codes, as one JSON object where that was asked for, without a stack or a secret.',
  samples: COMMANDS.map(([command, args]) => sample(command, args)),
  open: openCommandLine,
}

const Answer = z.looseObject({ error: z.looseObject({ code: z.string(), message: z.string().min(1) }).optional() })

async function openCommandLine(): Promise<OpenDoor> {
  const database = await cloneDatabase()
  const owner = new pg.Client({ connectionString: database.migratorUrl })
  await owner.connect()
  await owner.query(`INSERT INTO channel (id, marketplace, account_id) VALUES ('paris:main', 'paris', 'main'), ('odoo', 'odoo', 'main')`)
  await owner.end()
  const home = mkdtempSync(join(tmpdir(), 'rosh-fuzz-command-'))
  // Nothing listens on port 1: the systems around the hub do not answer.
  const ports = { ODOO_SIM_PORT: '1', MELI_SIM_PORT: '1', PARIS_MOCK_PORT: '1' }
  const env = { ROSH_HOME: home, DATABASE_URL: database.url, PARIS_API_SECRET: SECRET, ...ports }
  return {
    judge: (input) => judge(input, env),
    async close() {
      rmSync(home, { recursive: true })
      await database.drop()
    },
  }
}

async function judge({ target, bytes }: Input, env: Record<string, string>): Promise<Judgement> {
  const printed: string[] = []
  const said: string[] = []
  const before = process.exitCode
  process.exitCode = undefined
  const context = {
    env: { ...env },
    signal: new AbortController().signal,
    print: (line: string) => void printed.push(line),
    progress: (line: string) => void said.push(line),
  }
  const code = await runCommand([...target.split(' '), '--json', ...argsOf(bytes)], context).finally(() => (process.exitCode = before))
  holds(Object.values<number>(EXIT).includes(code), `ended with ${code}`)
  const all = [...printed, ...said].join('\n')
  holds(!/\n {4}at /.test(all), `a stack: ${said.join(' ').slice(0, 200)}`)
  holds(!all.includes(SECRET), 'a secret is shown')
  // Whoever asks for help gets text.
  if (code === EXIT.ok && all.includes('Usage: ')) return 'refused'
  holds(printed.length === 1, `${printed.length} lines in place of one JSON object`)
  const { error } = Answer.parse(JSON.parse(printed[0] ?? ''))
  holds((code === EXIT.ok) === (error === undefined), `exit code ${code} with ${error ? `the error ${error.code}` : 'no error'}`)
  return error?.code === 'bad-input' ? 'refused' : 'accepted'
}

/** What a shell can pass on: texts without a NUL, in UTF-8. */
function argsOf(bytes: Uint8Array): string[] {
  const text = Buffer.from(bytes).toString('utf8')
  return wordsOf(text).map((word) => word.replaceAll('\0', '').toWellFormed())
}

function wordsOf(text: string): string[] {
  try {
    const value: unknown = JSON.parse(text)
    return (Array.isArray(value) ? value : [value]).map((word: unknown) => (typeof word === 'string' ? word : JSON.stringify(word)))
  } catch {
    // No JSON any more, or nested deeper than the stack goes.
    return text.split(/\s+/)
  }
}
