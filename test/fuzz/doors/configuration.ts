import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { channelProblems } from '../../../src/channel-settings.ts'
import { ConfigError, loadConfig } from '../../../src/config.ts'
import { type Door, holds, type Input, type Judgement, sample } from '../door.ts'

const SECRET = 'a-secret-of-the-fuzzed-configuration'
const environment = {
  ENV: 'test',
  LOG_LEVEL: 'info',
  HTTP_PORT: '8000',
  APP_DB_HOST: 'db.example',
  APP_DB_PORT: '5432',
  APP_DB_USER: 'hub',
  APP_DB_PASSWORD: SECRET,
  APP_DB_NAME: 'hub',
  ODOO_URL: 'https://odoo.example',
  ODOO_DB: 'odoo',
  ODOO_USER: 'hub@example.com',
  ODOO_PASSWORD: SECRET,
  PARIS_API_SECRET: SECRET,
  OUTBOX_MAX_ATTEMPTS: '12',
  RECONCILER_INTERVAL_SECONDS: '900',
}
const yaml = `channels:
  "mercadolibre:1001": { shipsFrom: odoo, requestsPerSecond: 10, timing: { timeoutMs: 15000, marginMs: 2000, settleMs: 30000, leaseMs: 40000 } }
mercadolibre:
  accounts: ["1001"]
routing:
  - name: outlet
    when: { tag: Outlet, field: { name: x_store, value: Norte } }
    to: [paris]
taxMode: { kind: price-included-tax, taxId: 3 }
collectSince: 2026-11-01T00:00:00Z
backoffScale: 0.5
`
const asJson = {
  mercadolibre: { accounts: ['1001'] },
  channels: { 'paris:main': { enabled: true, concurrency: 4 } },
  partners: { paris: 'Cliente' },
}

/** Environment variables and the YAML file. */
export const configurationDoor: Door = {
  name: 'configuration',
  property:
    'Any environment and any file give a configuration or a list of problems that each name a variable or a field, never a secret or a stack.',
  samples: [sample('environment', environment), sample('file', yaml), sample('file', asJson)],
  open: async () => {
    const home = mkdtempSync(join(tmpdir(), 'rosh-fuzz-config-'))
    return { judge: (input) => judge(home, input), close: async () => rmSync(home, { recursive: true }) }
  },
}

function judge(home: string, { target, bytes }: Input): Judgement {
  const path = join(home, 'hub.yaml')
  writeFileSync(path, target === 'file' ? bytes : '{}')
  const given = target === 'file' ? { ENV: 'test' } : environmentIn(bytes)
  try {
    const config = loadConfig({ ...given, ROSH_HOME: home, ROSH_CONFIG: path }, { demo: false })
    holds(!JSON.stringify(config.variables).includes(SECRET), 'a printed configuration shows a secret')
    const problems = channelProblems(config)
    for (const problem of problems) holds(/^(channels|routing)/.test(problem), `a problem names no field: ${problem.slice(0, 80)}`)
    return problems.length === 0 ? 'accepted' : 'refused'
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    holds(error.problems.length > 0, 'refused without a problem')
    for (const problem of error.problems) {
      holds(problem.startsWith(path) || /^[A-Z][A-Z0-9_]*: /.test(problem), `a problem names no variable: ${problem.slice(0, 80)}`)
      holds(!problem.includes(SECRET), 'a problem shows a secret')
    }
    return 'refused'
  }
}

// An environment holds texts without NUL, and names without `=`.
function environmentIn(bytes: Uint8Array): Record<string, string> {
  let value: unknown
  try {
    value = JSON.parse(Buffer.from(bytes).toString('utf8'))
  } catch {
    value = {}
  }
  if (typeof value !== 'object' || value === null) return {}
  const text = (given: unknown): string => (typeof given === 'object' ? typeof given : String(given)).replaceAll('\0', '')
  return Object.fromEntries(Object.entries(value).map(([name, given]) => [name.replace(/[\0=]/g, '_'), text(given)]))
}
