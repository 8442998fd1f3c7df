import { IntegrationError } from '../../core/integration-error.ts'
import type { Clock } from '../../ports/clock.ts'
import type { CredentialStore, RefreshLease, TokenPair } from '../../ports/credential-store.ts'
import type { Random } from '../../ports/random.ts'
import { type HttpClient, type HttpReply, orAborted, retryAfterMs } from '../http.ts'
import type { TokenSource } from './client.ts'
import { type Granted, grantedIn, type OauthApp, oauthErrorIn, requestToken } from './oauth.ts'

export interface TokenParts {
  channel: string
  store: CredentialStore
  app: OauthApp
  http: HttpClient
  clock: Clock
  random: Random
  /** How long before its end a token is refreshed, milliseconds; up to a fifth more by jitter. */
  skewMs: number
  /** Lease of one refresh, milliseconds; must exceed the exchange and the commits around it. */
  leaseMs: number
  /** Longest wait for another process that refreshes, milliseconds. */
  busyWaitMs: number
  nowMs?: () => number
}

interface Held {
  pair: TokenPair
  refreshAtMs: number
}

/**
 * The access token of one account. The refresh token is single-use, so a refresh is one exchange, whoever asks: callers of this
 * process share it, other processes are kept out by the store's lease, and the new pair is committed before anybody uses it.
 */
export function mercadolibreTokens(parts: TokenParts): TokenSource {
  const nowMs = parts.nowMs ?? Date.now
  let held: Held | null = null
  let flight: Promise<TokenPair> | null = null

  function hold(pair: TokenPair): Held {
    const skewMs = parts.skewMs * (1 + 0.2 * parts.random.next())
    held = { pair, refreshAtMs: Date.parse(pair.expiresAt) - skewMs }
    return held
  }

  async function present(): Promise<Held> {
    if (held) return held
    const pair = await parts.store.read(parts.channel)
    if (!pair) throw new IntegrationError('unauthorized', { summary: `${parts.channel} is not connected: run rosh auth mercadolibre` })
    return hold(pair)
  }

  function refreshed(seen: TokenPair, isUsable: boolean): Promise<TokenPair> {
    flight ??= refresh(parts, { seen, isUsable, nowMs })
      .then((pair) => hold(pair).pair)
      .finally(() => {
        flight = null
      })
    return flight
  }

  return {
    async current(signal) {
      const { pair, refreshAtMs } = await present()
      if (nowMs() < refreshAtMs) return pair
      const isAlive = () => nowMs() < Date.parse(pair.expiresAt)
      try {
        return await orAborted(refreshed(pair, isAlive()), signal, waitEnded)
      } catch (error) {
        // Ahead of its end a refresh may fail for a while; only a refused account is told at once.
        if (error instanceof IntegrationError && error.code !== 'unauthorized' && isAlive()) return pair
        throw error
      }
    },
    async renewed(refusedVersion, signal) {
      for (let round = 0; round < 3; round++) {
        const { pair } = await present()
        if (pair.version > refusedVersion) return pair
        await orAborted(refreshed(pair, false), signal, waitEnded)
      }
      throw new IntegrationError('unauthorized', { summary: 'MercadoLibre refused the access token and no newer one came' })
    },
  }
}

interface Refresh {
  seen: TokenPair
  /** The seen token still works, so nobody needs to wait for another process. */
  isUsable: boolean
  nowMs: () => number
}

const BUSY_POLL_MS = 200
const NEVER = new AbortController().signal

async function refresh(parts: TokenParts, what: Refresh): Promise<TokenPair> {
  const elapsedMs = parts.clock.stopwatch()
  for (;;) {
    const lease = await parts.store.leaseRefresh(parts.channel, what.seen.version, parts.leaseMs)
    if (lease.kind === 'advanced') return lease.current
    if (lease.kind === 'reconnect-required') throw reconnect(`reconnect required since ${lease.since}`)
    const pair = lease.kind === 'leased' ? await spend(parts, lease, what.nowMs) : null
    if (pair) return pair
    if (what.isUsable) return what.seen
    if (elapsedMs() > parts.busyWaitMs) throw notSent('another process is refreshing the token')
    await parts.clock.wait(BUSY_POLL_MS, NEVER)
  }
}

/** One exchange under the lease. Null: the lease was lost before anything was sent. */
async function spend(
  parts: TokenParts,
  { lease, current }: Extract<RefreshLease, { kind: 'leased' }>,
  nowMs: () => number,
): Promise<TokenPair | null> {
  const { channel, store, app } = parts
  if (current.refreshToken === null) {
    return await mustReconnect(parts, lease, 'there is no refresh token: authorize again with the scope offline_access')
  }
  if (!(await store.markExchange(channel, lease))) return null
  const sentAtMs = nowMs()
  let reply: HttpReply
  try {
    reply = await requestToken(parts.http, {
      grant_type: 'refresh_token',
      client_id: app.clientId,
      client_secret: app.clientSecret,
      refresh_token: current.refreshToken,
    })
  } catch (error) {
    if (!(error instanceof IntegrationError)) throw error
    if (error.code === 'unreachable') {
      await store.releaseRefresh(channel, lease)
      throw error
    }
    return await mustReconnect(parts, lease, 'the answer to a token refresh was lost, and its single-use token may be spent')
  }
  if (reply.status < 200 || reply.status >= 300) return await refused(parts, { lease, current, reply, nowMs })
  let granted: Granted
  try {
    granted = grantedIn(reply, sentAtMs)
  } catch {
    return await mustReconnect(parts, lease, 'the answer to a token refresh is unreadable, and its single-use token is spent')
  }
  return await saved(parts, lease, granted)
}

const SAVE_TRIES = 5

// The old token is spent: the commit is what is tried again, never the exchange.
async function saved(parts: TokenParts, lease: string, granted: Granted): Promise<TokenPair> {
  const { accessToken, refreshToken, expiresAt } = granted
  for (let tries = 1; ; tries++) {
    try {
      return await parts.store.saveRefreshed(parts.channel, lease, { accessToken, refreshToken, expiresAt })
    } catch (error) {
      if (tries === SAVE_TRIES) throw error
      await parts.clock.wait(100 * 2 ** tries, NEVER)
    }
  }
}

interface Refused {
  lease: string
  current: TokenPair
  reply: HttpReply
  nowMs: () => number
}

async function refused(parts: TokenParts, { lease, current, reply, nowMs }: Refused): Promise<TokenPair> {
  const { channel, store } = parts
  const error = oauthErrorIn(reply)
  if (error === 'invalid_grant') {
    const now = await store.read(channel)
    if (now && now.version > current.version) {
      await store.releaseRefresh(channel, lease)
      return now
    }
    return await mustReconnect(
      parts,
      lease,
      'MercadoLibre refused the refresh token: it is used, expired or revoked, or the seller must complete data',
    )
  }
  await store.releaseRefresh(channel, lease)
  if (reply.status === 429) {
    const waitMs = retryAfterMs(reply.headers['retry-after'], nowMs())
    throw new IntegrationError('rate-limited', {
      httpStatus: 429,
      summary: 'the token endpoint asks to slow down',
      ...(waitMs === undefined ? {} : { retryAfterMs: waitMs }),
    })
  }
  // A 5xx may have spent the token all the same; then the next exchange answers invalid_grant, which ends in an alert.
  if (reply.status >= 500) throw notSent(`the token endpoint answered ${reply.status}`)
  throw new IntegrationError('unauthorized', {
    httpStatus: reply.status,
    summary: `the token endpoint refused the application (${reply.status})`,
    theirText: error,
  })
}

async function mustReconnect(parts: TokenParts, lease: string, reason: string): Promise<never> {
  await parts.store.requireReconnect(parts.channel, lease, reason)
  throw reconnect(reason)
}

function reconnect(reason: string): IntegrationError {
  return new IntegrationError('unauthorized', { summary: `reconnect the account: ${reason}` })
}

/** No request of the caller left, so it may simply be sent later. */
function notSent(why: string): IntegrationError {
  return new IntegrationError('unreachable', { summary: `not sent: ${why}` })
}

const waitEnded = (): IntegrationError => notSent('the wait for an access token ended')
