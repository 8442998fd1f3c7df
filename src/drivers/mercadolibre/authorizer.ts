import { randomBytes } from 'node:crypto'
import type { AuthorizationServer } from '../../ports/authorization.ts'
import type { HttpClient } from '../http.ts'
import { authorizeUrl, exchangeCode, newPkce, type OauthApp } from './oauth.ts'

/** MercadoLibre's side of connecting an account. The state is 256 random bits: it alone lets a stranger's answer in. */
export function mercadolibreAuthorizer(parts: { app: OauthApp; http: HttpClient }): AuthorizationServer {
  return {
    begin() {
      const state = randomBytes(32).toString('base64url')
      const { verifier, challenge } = newPkce()
      return { state, verifier, address: authorizeUrl(parts.app, state, challenge) }
    },
    async exchange(grant) {
      const { userId, accessToken, refreshToken, expiresAt } = await exchangeCode(parts, grant)
      return { accountId: userId, channel: `mercadolibre:${userId}`, pair: { accessToken, refreshToken, expiresAt } }
    },
  }
}
