import { ConfigError } from './config.ts'
import { Variables } from './config-variables.ts'
import { IntegrationError } from './core/integration-error.ts'
import { httpClient } from './drivers/http.ts'
import { type SecretManager, secretManager } from './drivers/secret-manager/secret-manager.ts'

type Environment = Record<string, string | undefined>

const TIMEOUT_MS = 10_000

/**
 * The environment with the secrets that `SECRET_MANAGER_SECRETS` lists, when `USE_SECRET_MANAGER` asks for it. Throws a ConfigError that names every
 * secret that could not be read: nothing may start with a part of them.
 */
export async function withManagedSecrets(env: Environment): Promise<Environment> {
  if (!/^(true|1)$/i.test(env.USE_SECRET_MANAGER ?? '')) return env
  const project = env.GCP_PROJECT_ID ?? ''
  if (project === '') throw new ConfigError(['GCP_PROJECT_ID: needed because USE_SECRET_MANAGER is set'])
  const wanted = listed(env)
  const http = httpClient({
    origin: originOf(env.SECRET_MANAGER_BASE_URL ?? 'https://secretmanager.googleapis.com'),
    timeoutMs: TIMEOUT_MS,
  })
  const metadata = httpClient({ origin: originOf(`http://${env.GCE_METADATA_HOST ?? 'metadata.google.internal'}`), timeoutMs: TIMEOUT_MS })
  try {
    return { ...env, ...(await readAll(wanted, secretManager({ http, metadata, project }))) }
  } finally {
    await Promise.all([http.close(), metadata.close()])
  }
}

interface Wanted {
  variable: string
  secret: string
  version: string
}

const ENTRY = /^([A-Z][A-Z0-9_]*)(?:=([A-Za-z0-9_-]{1,255})(?:@(latest|\d{1,9}))?)?$/

/** `PARIS_API_SECRET,ODOO_PASSWORD=odoo-api-key@3`: a variable, the secret's name where it is another, and its version. */
function listed(env: Environment): Wanted[] {
  const problems: string[] = []
  const wanted = (env.SECRET_MANAGER_SECRETS ?? '').split(',').flatMap((text) => {
    const [, variable, secret, version] = ENTRY.exec(text.trim()) ?? []
    if (variable === undefined || !Object.hasOwn(Variables.shape, variable)) {
      problems.push(
        `SECRET_MANAGER_SECRETS: "${text.trim().slice(0, 60)}" names no variable of the hub; write VARIABLE or VARIABLE=secret@version`,
      )
      return []
    }
    if ((env[variable] ?? '') !== '') problems.push(`${variable}: set here and listed in SECRET_MANAGER_SECRETS; remove one of them`)
    return [{ variable, secret: secret ?? variable, version: version ?? 'latest' }]
  })
  if (problems.length > 0) throw new ConfigError(problems)
  return wanted
}

function originOf(address: string): string {
  if (URL.canParse(address)) return new URL(address).origin
  throw new ConfigError([`SECRET_MANAGER_BASE_URL or GCE_METADATA_HOST: "${address}" is no address`])
}

async function readAll(wanted: readonly Wanted[], manager: SecretManager): Promise<Environment> {
  const problems: string[] = []
  const read = await Promise.all(
    wanted.map(async ({ variable, secret, version }): Promise<[string, string]> => {
      try {
        const value = await manager.read(secret, version)
        if (value === '') problems.push(`${variable}: the secret ${secret} is empty`)
        return [variable, value]
      } catch (error) {
        if (!(error instanceof IntegrationError)) throw error
        problems.push(`${variable}: the secret ${secret} (${version}) could not be read: ${error.message}`)
        return [variable, '']
      }
    }),
  )
  if (problems.length > 0) throw new ConfigError(problems)
  return Object.fromEntries(read)
}
