import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { IntegrationError } from '../core/integration-error.ts'
import { type HttpClient, httpClient } from './http.ts'

const arrived: string[] = []
const server = createServer((request, response) => {
  const chunks: Buffer[] = []
  request.on('data', (chunk: Buffer) => chunks.push(chunk))
  request.on('end', () => {
    arrived.push(`${request.headers['content-length']} ${Buffer.concat(chunks).toString()}`)
    response.end('{}')
  })
})
let http: HttpClient
beforeAll(async () => {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  http = httpClient({ origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, timeoutMs: 5_000 })
})
afterAll(async () => {
  await http.close()
  await new Promise((resolve) => server.close(resolve))
})

const body = '{"name":"Ñuñoa"}'
const post = (isLate?: () => boolean) => http.exchange({ method: 'POST', path: '/', body, isLate })

test('a body that is asked for piece by piece arrives as one that is not', async () => {
  await post()
  await post(() => false)
  expect(arrived.splice(0)).toEqual([`18 ${body}`, `18 ${body}`])
})

test('nothing leaves when it has become too late while the connection was made, and the next request is as ever', async () => {
  let asked = 0
  const error: unknown = await post(() => ++asked > 1).catch((thrown: unknown) => thrown)
  expect(error).toBeInstanceOf(IntegrationError)
  expect(error).toMatchObject({ code: 'unreachable' })
  expect(asked).toBe(2)
  await post(() => false)
  expect(arrived.splice(0)).toEqual([`18 ${body}`])
})

test('without a body it is asked at once', async () => {
  const error: unknown = await http.exchange({ method: 'POST', path: '/', isLate: () => true }).catch((thrown: unknown) => thrown)
  expect(error).toMatchObject({ code: 'unreachable' })
  expect(arrived).toEqual([])
})
