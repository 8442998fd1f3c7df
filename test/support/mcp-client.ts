import { PassThrough } from 'node:stream'
import { Client } from '@modelcontextprotocol/client'
import { StdioServerTransport, serveStdio } from '@modelcontextprotocol/server/stdio'
import { type McpDeps, mcpServerFactory } from '../../src/apps/mcp-server/server.ts'

export const ERAS = ['2025-11-25', '2026-07-28'] as const
export type Era = (typeof ERAS)[number]

type Transport = Parameters<Client['connect']>[0]
type Message = Parameters<NonNullable<Transport['onmessage']>>[0]

/** A client of one era, speaking to the server over the lines of stdio, in this process. */
export async function mcpClient(deps: McpDeps, era: Era): Promise<{ client: Client; close(): Promise<void> }> {
  const toServer = new PassThrough()
  const toClient = new PassThrough()
  const served = serveStdio(mcpServerFactory(deps), { transport: new StdioServerTransport(toServer, toClient), onerror: () => {} })
  const client = new Client(
    { name: 'test', version: '1' },
    era === '2026-07-28' ? { versionNegotiation: { mode: { pin: '2026-07-28' } } } : {},
  )
  await client.connect(lineTransport(toServer, toClient))
  return {
    client,
    close: async () => {
      await client.close()
      await served.close()
    },
  }
}

function lineTransport(out: PassThrough, back: PassThrough): Transport {
  let rest = ''
  const transport: Transport = {
    start: () => {
      back.on('data', (chunk: Buffer) => {
        const lines = (rest + chunk.toString('utf8')).split('\n')
        rest = lines.pop() ?? ''
        for (const line of lines) if (line.trim() !== '') transport.onmessage?.(JSON.parse(line) as Message)
      })
      return Promise.resolve()
    },
    send: (message) => {
      out.write(`${JSON.stringify(message)}\n`)
      return Promise.resolve()
    },
    close: () => {
      transport.onclose?.()
      return Promise.resolve()
    },
  }
  return transport
}
