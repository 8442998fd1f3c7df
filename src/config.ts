import { existsSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { parse as parseYaml } from 'yaml'
import type { z } from 'zod'
import { HubFile, WEBHOOK_KEYS } from './config-file.ts'
import { REPLACED, Variables } from './config-variables.ts'
import { homeFolder, loadOrCreateSecrets, packageRoot, type Secrets } from './home.ts'
import { Secret } from './secret.ts'

export interface Config {
  variables: Variables
  file: HubFile
  home: string
  /** Generated into ROSH_HOME; variables of the same name win. */
  secrets: Secrets
  /** Loopback only, simulator key; ends when any part is real. */
  demo: boolean
  httpPort: number
  /** Null: the embedded server. */
  databaseUrl: Secret | null
  /** The login that runs the migrations; null: the same. */
  migratorUrl: Secret | null
  odoo: { url: string; db: string; user: string; password: Secret; nextPassword: Secret | null; simulated: boolean }
  mercadolibre: {
    apiBase: string
    authBase: string
    clientId: string
    clientSecret: Secret
    redirectUri: string
    webhookSecret: Secret
    pathSecret: Secret
    simulated: boolean
  }
  paris: { url: string; apiKey: Secret; apiSecret: Secret; simulated: boolean }
  odooPathSecret: Secret
  warnings: string[]
}

/** Every problem at once, each naming the variable or field and the fix. */
export class ConfigError extends Error {
  readonly problems: string[]
  constructor(problems: string[]) {
    super(
      `the configuration has ${problems.length} problem${problems.length === 1 ? '' : 's'}:\n${problems.map((p) => `  - ${p}`).join('\n')}`,
    )
    this.name = 'ConfigError'
    this.problems = problems
  }
}

/** The key that every simulator takes; refused as a secret of anything real. */
export const SIMULATOR_KEY = 'change-me'
const SHORTEST_SECRET = 16
/** Standard Webhooks: a secret is 24 to 64 bytes, written as this prefix and base64. */
const SHORTEST_STANDARD_BYTES = 24
const STANDARD_PREFIX = 'whsec_'
/** What the demo starts with where nothing else is said: what takes a quarter of an hour in production shows within a minute. */
const DEMO_DEFAULTS = { RECONCILER_INTERVAL_SECONDS: '20' }

/** Reads variables and YAML file into one frozen configuration, or throws a ConfigError with every problem. */
export function loadConfig(env: Record<string, string | undefined>, options: { demo: boolean }): Config {
  const problems: string[] = []
  const variables = parsed(Variables, { ...(options.demo ? DEMO_DEFAULTS : {}), ...withoutEmpty(env) }, problems, (path) => path)
  const file = readFile(env, options, problems)
  if (!variables || !file) throw new ConfigError(problems)
  problems.push(...conflicts(variables))
  if (!options.demo || isAnyReal(variables)) problems.push(...weakSecrets(variables, env, problems))
  if (options.demo && variables.ENV === 'production')
    problems.push('ENV: demo mode is refused in production; run `rosh up` with real parts instead of `npm start`')
  if (problems.length > 0) throw new ConfigError(problems)
  const home = homeFolder(variables)
  const secrets = loadOrCreateSecrets(home)
  return Object.freeze({
    variables,
    file,
    home,
    secrets,
    demo: options.demo && !isAnyReal(variables),
    httpPort: variables.HTTP_PORT ?? variables.PORT ?? 8000,
    databaseUrl: databaseUrl(variables),
    migratorUrl: variables.MIGRATOR_DATABASE_URL ?? null,
    ...parts(variables, secrets),
    warnings: Object.entries(REPLACED).flatMap(([name, instead]) =>
      env[name] === undefined ? [] : [`${name} does not apply: ${instead}`],
    ),
  })
}

function isAnyReal(v: Variables): boolean {
  return v.ODOO_URL !== undefined || v.ML_CLIENT_ID !== undefined || v.PARIS_BASE_URL !== undefined
}

function withoutEmpty(env: Record<string, string | undefined>): Record<string, string> {
  return Object.fromEntries(Object.entries(env).flatMap(([name, value]) => (value === undefined || value === '' ? [] : [[name, value]])))
}

function parsed<T>(schema: z.ZodType<T>, value: unknown, problems: string[], nameOf: (path: string) => string): T | undefined {
  const result = schema.safeParse(value)
  if (result.success) return result.data
  problems.push(...result.error.issues.map((issue) => `${nameOf(issue.path.join('.'))}: ${issue.message}`))
  return undefined
}

function readFile(env: Record<string, string | undefined>, options: { demo: boolean }, problems: string[]): HubFile | undefined {
  const named = env.ROSH_CONFIG
  const path = named ? resolve(packageRoot, named) : join(packageRoot, options.demo ? 'seed/hub.yaml' : 'hub.yaml')
  if (!existsSync(path)) {
    if (named) problems.push(`ROSH_CONFIG: there is no file ${path}`)
    return named ? undefined : HubFile.parse({})
  }
  try {
    return parsed(HubFile, parseYaml(readFileSync(path, 'utf8')) ?? {}, problems, (field) => `${path}: ${field || 'the file'}`)
  } catch (error) {
    problems.push(`${path}: not readable as YAML: ${error instanceof Error ? error.message.split('\n')[0] : 'unknown'}`)
    return undefined
  }
}

function conflicts(v: Variables): string[] {
  const needs = (given: unknown, name: string, ...others: [string, unknown][]): string[] =>
    given === undefined ? [] : others.filter(([, value]) => value === undefined).map(([other]) => `${other}: needed because ${name} is set`)
  return [
    ...needs(v.ODOO_URL, 'ODOO_URL', ['ODOO_DB', v.ODOO_DB], ['ODOO_USER', v.ODOO_USER], ['ODOO_PASSWORD', v.ODOO_PASSWORD]),
    ...needs(v.ODOO_PASSWORD_NEXT, 'ODOO_PASSWORD_NEXT', ['ODOO_PASSWORD', v.ODOO_PASSWORD]),
    ...needs(v.ML_CLIENT_ID, 'ML_CLIENT_ID', ['ML_CLIENT_SECRET', v.ML_CLIENT_SECRET], ['ML_REDIRECT_URI', v.ML_REDIRECT_URI]),
    ...needs(v.PARIS_BASE_URL, 'PARIS_BASE_URL', ['PARIS_API_KEY', v.PARIS_API_KEY], ['PARIS_API_SECRET', v.PARIS_API_SECRET]),
    ...(v.DATABASE_URL || URL.canParse(`postgresql://${v.APP_DB_HOST ?? 'localhost'}:1/x`)
      ? []
      : ['APP_DB_HOST: is no host name or address; an IPv6 address stands in brackets']),
    ...(v.DATABASE_URL || v.APP_DB_HOST ? [] : needs(v.MIGRATOR_DATABASE_URL, 'MIGRATOR_DATABASE_URL', ['DATABASE_URL', v.DATABASE_URL])),
    ...(v.DATABASE_URL ? [] : needs(v.APP_DB_HOST, 'APP_DB_HOST', ['APP_DB_USER', v.APP_DB_USER], ['APP_DB_NAME', v.APP_DB_NAME])),
  ]
}

// A default, empty or short secret is refused outside the demo: it would open the door it was made to close.
function weakSecrets(v: Variables, env: Record<string, string | undefined>, known: readonly string[]): string[] {
  const ours = WEBHOOK_KEYS.flatMap((name) => {
    if (env[name] === '' && !known.some((problem) => problem.startsWith(`${name}: `)))
      return [`${name}: is empty; set it, or leave it out and one is generated`]
    const value = v[name]?.reveal()
    if (value === undefined) return []
    if (value === SIMULATOR_KEY) return [`${name}: the default \`${SIMULATOR_KEY}\` is refused; leave it out and one is generated`]
    return tooShort(value).map((problem) => `${name}: ${problem}`)
  })
  // How long these are is decided by whoever gave them to us.
  const theirs = (['ODOO_PASSWORD', 'ODOO_PASSWORD_NEXT', 'ML_CLIENT_SECRET', 'PARIS_API_KEY', 'APP_DB_PASSWORD'] as const).filter(
    (name) => v[name]?.reveal() === SIMULATOR_KEY,
  )
  return [...ours, ...theirs.map((name) => `${name}: the default \`${SIMULATOR_KEY}\` is refused`)]
}

// What stands behind `whsec_` is decoded before it signs: its letters say more than its bytes hold.
function tooShort(secret: string): string[] {
  if (secret.startsWith(STANDARD_PREFIX)) {
    const bytes = Buffer.from(secret.slice(STANDARD_PREFIX.length), 'base64').byteLength
    return bytes < SHORTEST_STANDARD_BYTES ? [`its base64 holds fewer than ${SHORTEST_STANDARD_BYTES} bytes`] : []
  }
  return secret.length < SHORTEST_SECRET ? [`shorter than ${SHORTEST_SECRET} characters`] : []
}

function databaseUrl(v: Variables): Secret | null {
  if (v.DATABASE_URL) return v.DATABASE_URL
  if (v.APP_DB_HOST === undefined) return null
  const url = new URL(`postgresql://${v.APP_DB_HOST}:${v.APP_DB_PORT}/${v.APP_DB_NAME ?? ''}`)
  url.username = v.APP_DB_USER ?? ''
  url.password = v.APP_DB_PASSWORD?.reveal() ?? ''
  return new Secret(url.href)
}

function parts(v: Variables, secrets: Secrets): Pick<Config, 'odoo' | 'mercadolibre' | 'paris' | 'odooPathSecret'> {
  const key = new Secret(SIMULATOR_KEY)
  const local = (port: number): string => `http://127.0.0.1:${port}`
  return {
    odoo: {
      url: v.ODOO_URL ?? local(v.ODOO_SIM_PORT),
      db: v.ODOO_DB ?? 'odoo',
      user: v.ODOO_USER ?? 'hub@example.com',
      password: v.ODOO_PASSWORD ?? key,
      nextPassword: v.ODOO_PASSWORD_NEXT ?? null,
      simulated: v.ODOO_URL === undefined,
    },
    mercadolibre: {
      apiBase: v.ML_CLIENT_ID === undefined ? local(v.MELI_SIM_PORT) : v.ML_API_BASE,
      authBase: v.ML_CLIENT_ID === undefined ? local(v.MELI_SIM_PORT) : v.ML_AUTH_BASE,
      clientId: v.ML_CLIENT_ID ?? SIMULATED_APP_ID,
      clientSecret: v.ML_CLIENT_SECRET ?? key,
      redirectUri: v.ML_REDIRECT_URI ?? `http://127.0.0.1:${v.HTTP_PORT ?? v.PORT ?? 8000}/oauth/mercadolibre/callback`,
      webhookSecret: v.ML_WEBHOOK_SECRET ?? new Secret(secrets.ML_WEBHOOK_SECRET),
      pathSecret: v.ML_WEBHOOK_PATH_SECRET ?? new Secret(secrets.ML_WEBHOOK_PATH_SECRET),
      simulated: v.ML_CLIENT_ID === undefined,
    },
    paris: {
      url: v.PARIS_BASE_URL ?? local(v.PARIS_MOCK_PORT),
      apiKey: v.PARIS_API_KEY ?? key,
      apiSecret: v.PARIS_API_SECRET ?? new Secret(secrets.PARIS_API_SECRET),
      simulated: v.PARIS_BASE_URL === undefined,
    },
    odooPathSecret: v.ODOO_WEBHOOK_PATH_SECRET ?? new Secret(secrets.ODOO_WEBHOOK_PATH_SECRET),
  }
}

/** Application id that the MercadoLibre simulator knows when none is configured. */
const SIMULATED_APP_ID = '1234567890123456'
