import type { Connected } from '../core/connection.ts'
import { IntegrationError } from '../core/integration-error.ts'
import type { AuditIntent } from '../ports/audit.ts'
import type { AuthorizationServer, AuthorizationStore, TakenAuthorization } from '../ports/authorization.ts'
import type { CredentialStore } from '../ports/credential-store.ts'
import { audited, type AuditPorts } from './audited.ts'

export interface ConnectPorts extends AuditPorts {
  authorizations: AuthorizationStore
  server: AuthorizationServer
  credentials: CredentialStore
}

/** What the seller's browser was sent back with. State null: a person pasted the bare code. */
export interface AuthorizationAnswer {
  state: string | null
  said: { code: string } | { error: string }
}

/** How long a seller has to answer; MercadoLibre's own codes live as long. */
const AUTHORIZATION_LIFETIME_MS = 600_000

export interface Begun {
  address: string
  state: string
  expiresAt: string
}

/** Starts the connection of an account: whoever answers at `address` within ten minutes connects it, in whatever process hears of it. */
export async function beginConnection(
  { principal, accountId }: { principal: string; accountId: string | null },
  ports: Pick<ConnectPorts, 'authorizations' | 'server'>,
): Promise<Begun> {
  const { state, verifier, address } = ports.server.begin()
  const { expiresAt } = await ports.authorizations.start({ state, verifier, principal, accountId }, AUTHORIZATION_LIFETIME_MS)
  return { address, state, expiresAt }
}

/** Ends it: takes the state, spends the code and stores the tokens, which unpauses the channel. A second answer finds nothing to take. */
export async function connectAccount(answer: AuthorizationAnswer, ports: ConnectPorts): Promise<Connected> {
  const taken = await ports.authorizations.take(answer.state)
  if (taken.kind !== 'taken') return { kind: 'invalid-state', why: taken.kind }
  const connected = await conclude(answer.said, taken, ports)
  const channel = 'channel' in connected ? connected.channel : null
  const word = 'word' in connected ? connected.word : null
  await ports.authorizations.finish(taken.id, { kind: connected.kind, channel, word })
  return connected
}

type Taken = Extract<TakenAuthorization, { kind: 'taken' }>

async function conclude(said: AuthorizationAnswer['said'], taken: Taken, ports: ConnectPorts): Promise<Connected> {
  const intent: AuditIntent = {
    principal: { id: taken.principal, scopes: new Set(), via: 'cli' },
    tool: 'rosh auth mercadolibre',
    scopeUsed: null,
    params: taken.accountId === null ? {} : { account: taken.accountId },
  }
  const act = await audited(ports, {
    intent,
    run: async () => ('error' in said ? { kind: 'refused' as const, word: wordIn(said.error) } : exchange(said.code, taken, ports)),
    outcomeOf: (connected) =>
      connected.kind === 'connected'
        ? { result: 'ok', effect: { connected: connected.channel } }
        : { result: 'denied', errorCode: 'word' in connected ? connected.word : connected.kind },
  })
  return act.kind === 'unaudited' ? { kind: 'unaudited' } : act.value
}

async function exchange(code: string, { verifier, accountId }: Taken, { server, credentials }: ConnectPorts): Promise<Connected> {
  try {
    const granted = await server.exchange({ code, verifier })
    if (accountId !== null && accountId !== granted.accountId) return { kind: 'other-account', channel: granted.channel }
    await credentials.connect(granted.channel, granted.pair)
    return { kind: 'connected', channel: granted.channel }
  } catch (error) {
    if (!(error instanceof IntegrationError)) throw error
    if (error.code === 'rejected' || error.code === 'unauthorized' || error.code === 'rate-limited')
      return { kind: 'refused', word: wordIn(error.detail.theirText ?? error.code) }
    return { kind: 'unanswered' }
  }
}

// Another system's text is shown as a word of the OAuth vocabulary or not at all.
function wordIn(text: string): string {
  return /^[a-z][a-z0-9_-]{0,59}(?=$|[:\s])/.exec(text)?.[0] ?? 'refused'
}
