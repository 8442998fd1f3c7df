import { createHash } from 'node:crypto'
import { expect, test } from 'vitest'
import type { HttpClient, HttpReply, HttpRequest } from '../http.ts'
import { authorizeUrl, exchangeCode, newPkce } from './oauth.ts'

const app = {
  clientId: '123',
  clientSecret: 's',
  redirectUri: 'https://hub.test/oauth/mercadolibre/callback',
  authBase: 'https://auth.mercadolibre.cl',
}

function http(reply: HttpReply, sent: HttpRequest[] = []): HttpClient {
  return {
    origin: 'https://api.test',
    exchange: (request) => {
      sent.push(request)
      return Promise.resolve(reply)
    },
    close: () => Promise.resolve(),
  }
}

test('the authorization page is asked with state and an S256 challenge of the verifier', () => {
  const { verifier, challenge } = newPkce()
  const url = new URL(authorizeUrl(app, 'state with spaces & more', challenge))
  expect(url.origin + url.pathname).toBe('https://auth.mercadolibre.cl/authorization')
  expect(Object.fromEntries(url.searchParams)).toEqual({
    response_type: 'code',
    client_id: '123',
    redirect_uri: app.redirectUri,
    state: 'state with spaces & more',
    code_challenge: createHash('sha256').update(verifier).digest('base64url'),
    code_challenge_method: 'S256',
  })
  expect(verifier).toMatch(/^[\w-]{43,128}$/)
  expect(newPkce().verifier).not.toBe(verifier)
})

test('a code is exchanged with its verifier in the body, and the answer says whose account it is', async () => {
  const sent: HttpRequest[] = []
  const text =
    '{"access_token":"A","token_type":"Bearer","expires_in":21600,"scope":"read","user_id":1111111111111111111,"refresh_token":"R"}'
  const nowMs = () => Date.parse('2026-11-23T12:00:00Z')
  const granted = await exchangeCode({ app, http: http({ status: 200, headers: {}, text }, sent), nowMs }, { code: 'C', verifier: 'V' })
  expect(granted).toEqual({
    accessToken: 'A',
    refreshToken: 'R',
    expiresAt: '2026-11-23T18:00:00.000Z',
    userId: '1111111111111111111',
    scope: 'read',
  })
  expect(Object.fromEntries(new URLSearchParams(sent[0]?.body))).toEqual({
    grant_type: 'authorization_code',
    client_id: '123',
    client_secret: 's',
    code: 'C',
    redirect_uri: app.redirectUri,
    code_verifier: 'V',
  })
})

test('a spent code is refused with the words of MercadoLibre, and no secret in them', async () => {
  const reply = { status: 400, headers: {}, text: '{"error_description":"Error validating grant","error":"invalid_grant","status":400}' }
  const work = exchangeCode({ app, http: http(reply) }, { code: 'CODE', verifier: 'V' })
  await expect(work).rejects.toMatchObject({ code: 'rejected', detail: { theirText: 'invalid_grant: Error validating grant' } })
})
