import { createSecureServer, type Http2SecureServer } from 'node:http2'
import type { AddressInfo } from 'node:net'
import { getCACertificates, setDefaultCACertificates } from 'node:tls'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type HttpClient, httpClient } from '../../src/drivers/http.ts'
import { selfSigned } from '../support/self-signed.ts'

const trusted = getCACertificates('default')
const arrived: string[] = []
let server: Http2SecureServer
let http: HttpClient

/** What negotiates HTTP/2 wherever it is offered, as the vendors' gateways do. */
beforeAll(async () => {
  const { key, cert } = selfSigned()
  setDefaultCACertificates([cert])
  server = createSecureServer({ key, cert, allowHTTP1: true }, (request, response) => {
    arrived.push(`${request.httpVersion} ${request.method} ${request.url}`)
    request.resume().once('end', () => response.end('{}'))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  http = httpClient({ origin: `https://localhost:${(server.address() as AddressInfo).port}`, timeoutMs: 5_000 })
})
afterAll(async () => {
  setDefaultCACertificates(trusted)
  await http?.close()
  await new Promise((resolve) => server.close(resolve))
})

// Of HTTP/2 neither holds that is promised of an exchange: its session outlives it, and its head leaves before the body is asked for.
test('a server that offers HTTP/2 is spoken to in HTTP/1.1', async () => {
  expect(await http.exchange({ method: 'GET', path: '/a' })).toMatchObject({ status: 200 })
  expect(arrived.splice(0)).toEqual(['1.1 GET /a'])
})

test('a send that has become too late sends no byte of a request over TLS either', async () => {
  let asked = 0
  const late = http.exchange({ method: 'POST', path: '/late', body: '{}', isLate: () => ++asked > 1 })
  await expect(late).rejects.toMatchObject({ code: 'unreachable' })
  // What came before this one on any connection has arrived by then.
  await http.exchange({ method: 'POST', path: '/in-time', body: '{}', isLate: () => false })
  expect(arrived.splice(0)).toEqual(['1.1 POST /in-time'])
})
