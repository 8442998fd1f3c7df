import { createHash, timingSafeEqual } from 'node:crypto'
import { type Principal, type Scope, SCOPES } from '../../ports/audit.ts'

const VIEWER: readonly Scope[] = ['orders.read', 'metrics.read']
const OPERATOR: readonly Scope[] = [...VIEWER, 'outbox.retry', 'dlq.replay']
const ADMIN: readonly Scope[] = [...OPERATOR, 'dlq.admin']
/** A role name may stand for its scopes. */
export const ROLE_SCOPES: Readonly<Record<string, readonly Scope[]>> = { viewer: VIEWER, operator: OPERATOR, admin: ADMIN }

export interface StaticToken {
  token: string
  scopes: ReadonlySet<Scope>
}

/** Who a process over stdio acts as. `api-token` is verified on every call, so that a revoked one fails at once. */
export type StdioIdentity =
  | { kind: 'static'; principal: Principal }
  | { kind: 'api-token'; token: string }
  /** No token: the process runs, lists no tool and refuses every call. */
  | { kind: 'none' }
  /** The process must not start: exit 2 with this reason. */
  | { kind: 'misconfigured'; reason: string }

/** `token:scope,scope;token2:role`. Throws a sentence that names the entry by its place, never by its token. */
export function readStaticTokens(text: string): StaticToken[] {
  const entries = text.split(';').map((e) => e.trim())
  const tokens = entries.flatMap((entry, at) => (entry === '' ? [] : [readEntry(entry, at + 1)]))
  if (new Set(tokens.map((t) => t.token)).size < tokens.length) throw new Error('MCP_STATIC_TOKENS names one token twice')
  return tokens
}

function readEntry(entry: string, place: number): StaticToken {
  const colon = entry.lastIndexOf(':')
  const token = colon < 0 ? '' : entry.slice(0, colon).trim()
  if (token === '') throw new Error(`MCP_STATIC_TOKENS entry ${place}: write token:scope,scope or token:role`)
  const words = entry
    .slice(colon + 1)
    .split(',')
    .map((w) => w.trim())
    .filter((w) => w !== '')
  if (words.length === 0)
    throw new Error(
      `MCP_STATIC_TOKENS entry ${place}: no scope; use ${SCOPES.join(', ')} or a role (${Object.keys(ROLE_SCOPES).join(', ')})`,
    )
  return { token, scopes: new Set(words.flatMap((word) => scopesOf(word, place))) }
}

function scopesOf(word: string, place: number): readonly Scope[] {
  const role = Object.hasOwn(ROLE_SCOPES, word) ? ROLE_SCOPES[word] : undefined
  if (role) return role
  const scope = SCOPES.find((s) => s === word)
  if (!scope) throw new Error(`MCP_STATIC_TOKENS entry ${place}: "${word.slice(0, 40)}" is no scope and no role; use ${SCOPES.join(', ')}`)
  return [scope]
}

/** The token in `MCP_TOKEN`, or the only one of `MCP_STATIC_TOKENS`; several and no `MCP_TOKEN` is a mistake, none is no access. */
export function stdioIdentity(environment: { mcpToken: string | null; staticTokens: string | null }): StdioIdentity {
  let tokens: StaticToken[]
  try {
    tokens = readStaticTokens(environment.staticTokens ?? '')
  } catch (error) {
    return { kind: 'misconfigured', reason: error instanceof Error ? error.message : 'MCP_STATIC_TOKENS cannot be read' }
  }
  const wanted = environment.mcpToken?.trim() ?? ''
  if (wanted !== '') {
    const known = tokens.find((t) => sameToken(t.token, wanted))
    return known ? { kind: 'static', principal: principalOf(known, 'mcp-stdio') } : { kind: 'api-token', token: wanted }
  }
  const [only, second] = tokens
  if (second)
    return {
      kind: 'misconfigured',
      reason: `MCP_STATIC_TOKENS names ${tokens.length} tokens: set MCP_TOKEN to the one this process acts with`,
    }
  return only ? { kind: 'static', principal: principalOf(only, 'mcp-stdio') } : { kind: 'none' }
}

/** The principal of a static token: an opaque id, stable from run to run. */
function principalOf(token: StaticToken, via: Principal['via']): Principal {
  const id = createHash('sha256').update(`rosh static principal\n${token.token}`).digest('hex').slice(0, 12)
  return { id: `static-${id}`, scopes: token.scopes, via }
}

/** Verifies tokens of the table `api_token`. */
export interface TokenVerifier {
  verify(token: string): Promise<{ principal: string; scopes: ReadonlySet<Scope> } | null>
}

/** Answers, at every call, who is asking; null is no access. */
export function stdioAuthenticator(
  identity: Exclude<StdioIdentity, { kind: 'misconfigured' }>,
  tokens: TokenVerifier,
): () => Promise<Principal | null> {
  switch (identity.kind) {
    case 'static':
      return () => Promise.resolve(identity.principal)
    case 'none':
      return () => Promise.resolve(null)
    case 'api-token':
      return async () => {
        const known = await tokens.verify(identity.token)
        return known && { id: known.principal, scopes: known.scopes, via: 'mcp-stdio' }
      }
  }
}

function sameToken(a: string, b: string): boolean {
  const digest = (text: string): Buffer => createHash('sha256').update(text).digest()
  return timingSafeEqual(digest(a), digest(b))
}
