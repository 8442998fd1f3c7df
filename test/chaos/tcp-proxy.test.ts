import { once } from 'node:events'
import { type AddressInfo, connect, createServer } from 'node:net'
import { expect, test } from 'vitest'
import { until } from '../support/running-hub.ts'
import { tcpProxy } from './tcp-proxy.ts'

test('what is sent once a link is fast again does not overtake what is still late', async () => {
  let received = ''
  const target = createServer((socket) => socket.on('data', (bytes) => (received += bytes.toString())))
  target.listen(0, '127.0.0.1')
  await once(target, 'listening')
  const proxy = await tcpProxy((target.address() as AddressInfo).port)
  const client = connect(proxy.port, '127.0.0.1')
  try {
    await once(client, 'connect')
    proxy.set({ kind: 'latency', ms: 200 })
    client.write('first ')
    await until(() => Promise.resolve(proxy.hits() > 0 || undefined))
    proxy.set({ kind: 'none' })
    client.write('second')

    await until(() => Promise.resolve(received.length === 'first second'.length || undefined))

    expect(received).toBe('first second')
  } finally {
    client.destroy()
    await proxy.close()
    target.close()
  }
})
