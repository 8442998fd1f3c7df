import { createHash, randomBytes } from 'node:crypto'
import { type Scope, SCOPES } from '../../ports/audit.ts'
import { noteEffect } from './operation-effect.ts'
import { type Pool, transaction } from './pool.ts'

export interface ApiToken {
  id: string
  /** Opaque id of whoever holds it; never a part of the token. */
  principal: string
  scopes: ReadonlySet<Scope>
}

export interface NewToken {
  principal: string
  scopes: readonly Scope[]
  expiresAt: string | null
}

/** What is issued and revoked commits together with a note of the operation id. */
export interface ApiTokens {
  /** Makes a token; its text is shown this once and never stored. `expiresAt` is an ISO instant, null for never. */
  issue(token: NewToken, operationId: string): Promise<{ id: string; token: string }>
  /** Null for a token that is unknown, expired or revoked; which of these it is, nobody is told. */
  verify(token: string): Promise<ApiToken | null>
  /** From the next call on the token is refused. False: there is no such token, or it was revoked before. */
  revoke(id: string, operationId: string): Promise<boolean>
  /** Newest first; how each begins, never the token. */
  list(): Promise<ListedToken[]>
}

export interface ListedToken {
  id: string
  prefix: string
  principal: string
  scopes: string[]
  state: 'live' | 'ended' | 'revoked'
  createdAt: string
  expiresAt: string | null
  lastUsedAt: string | null
}

const TOKEN = /^rosh_[A-Za-z0-9_-]{43}$/
/** Letters of a token that lists show, `rosh_` included. */
const SHOWN = 9

/** API tokens as SHA-256 digests: 256 random bits need no slow hash. Needs the role rosh_operator. */
export function apiTokens(pool: Pool): ApiTokens {
  return {
    issue: async ({ principal, scopes, expiresAt }, operationId) => {
      const token = `rosh_${randomBytes(32).toString('base64url')}`
      const id = await transaction(pool, async (client) => {
        const { rows } = await client.query<{ id: string }>(
          'INSERT INTO api_token (prefix, sha256, principal, scopes, expires_at) VALUES ($1, $2, $3, $4, $5) RETURNING id',
          [token.slice(0, SHOWN), sha256(token), principal, scopes, expiresAt],
        )
        await noteEffect(client, operationId, { issued: rows[0]?.id })
        return rows[0]?.id ?? ''
      })
      return { id, token }
    },
    verify: async (token) => {
      if (!TOKEN.test(token)) return null
      const { rows } = await pool.query<{ id: string; principal: string; scopes: string[]; unseen: boolean }>(
        `SELECT id, principal, scopes, last_used_at IS NULL OR last_used_at < hub_now() - interval '1 minute' AS unseen
         FROM api_token WHERE sha256 = $1 AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > hub_now())`,
        [sha256(token)],
      )
      const row = rows[0]
      if (!row) return null
      if (row.unseen) await pool.query('UPDATE api_token SET last_used_at = hub_now() WHERE id = $1', [row.id])
      return { id: row.id, principal: row.principal, scopes: new Set(SCOPES.filter((scope) => row.scopes.includes(scope))) }
    },
    revoke: (id, operationId) =>
      transaction(pool, async (client) => {
        const { rowCount } = await client.query('UPDATE api_token SET revoked_at = hub_now() WHERE id = $1 AND revoked_at IS NULL', [id])
        if (rowCount === 1) await noteEffect(client, operationId, { revoked: id })
        return rowCount === 1
      }),
    list: async () => (await pool.query<ListedToken>(LIST)).rows,
  }
}

const LIST = `
  SELECT id, prefix, principal, scopes, created_at AS "createdAt", expires_at AS "expiresAt", last_used_at AS "lastUsedAt",
    CASE WHEN revoked_at IS NOT NULL THEN 'revoked' WHEN expires_at <= hub_now() THEN 'ended' ELSE 'live' END AS state
  FROM api_token ORDER BY id DESC LIMIT 500`

const sha256 = (text: string): Buffer => createHash('sha256').update(text).digest()
