import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'

export interface FakeSecretManager {
  host: string
  /** By `name@version`. */
  secrets: Map<string, string>
  /** What it does instead of answering properly. */
  fault: null | 'unavailable' | 'forbidden' | 'no-token' | 'garbage' | 'hang-up'
  requests: string[]
  close(): Promise<void>
}

const TOKEN = 'ya29.of-the-fake'

/** Google's Secret Manager and the metadata server of a machine, on one port of this one: their REST paths, headers and error answers. */
export async function fakeSecretManager(project: string): Promise<FakeSecretManager> {
  const fake: FakeSecretManager = { host: '', secrets: new Map(), fault: null, requests: [], close: async () => {} }
  const server = createServer((request, response) => {
    const answer = (status: number, body: unknown): void => {
      response.writeHead(status, { 'content-type': 'application/json' }).end(typeof body === 'string' ? body : JSON.stringify(body))
    }
    const path = decodeURIComponent(request.url ?? '')
    fake.requests.push(path)
    if (path === '/computeMetadata/v1/instance/service-accounts/default/token') {
      if (request.headers['metadata-flavor'] !== 'Google' || fake.fault === 'no-token')
        return answer(403, 'Missing Metadata-Flavor:Google header.')
      return answer(200, { access_token: TOKEN, expires_in: 3599, token_type: 'Bearer' })
    }
    if (fake.fault === 'hang-up') return void request.socket.destroy()
    if (fake.fault === 'garbage') return answer(200, { payload: { data: '%%% not base64' } })
    if (fake.fault === 'unavailable') return answer(503, { error: { code: 503, status: 'UNAVAILABLE' } })
    if (request.headers.authorization !== `Bearer ${TOKEN}`) return answer(401, { error: { code: 401, status: 'UNAUTHENTICATED' } })
    if (fake.fault === 'forbidden') return answer(403, { error: { code: 403, status: 'PERMISSION_DENIED' } })
    const [, name, version] = new RegExp(`^/v1/projects/${project}/secrets/([^/]+)/versions/([^/]+):access$`).exec(path) ?? []
    const value = fake.secrets.get(`${name}@${version}`)
    if (value === undefined) return answer(404, { error: { code: 404, status: 'NOT_FOUND' } })
    return answer(200, { name: path.slice(4, -7), payload: { data: Buffer.from(value).toString('base64') } })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  fake.host = `127.0.0.1:${(server.address() as AddressInfo).port}`
  fake.close = async () => {
    server.closeAllConnections()
    await new Promise((resolve) => server.close(resolve))
  }
  return fake
}
