import { type StdioServerTransport, serveStdio } from '@modelcontextprotocol/server/stdio'
import { type McpDeps, mcpServerFactory } from './server.ts'

export interface McpStdioOptions extends McpDeps {
  /** Ends the server. It also ends when the client closes stdin. */
  signal: AbortSignal
  /** Told of faults of the protocol; stdout carries nothing but JSON-RPC. */
  onProtocolError(error: Error): void
  /** Instead of this process's stdin and stdout. */
  transport?: StdioServerTransport
}

/** Serves MCP over stdio until the client goes away or the signal aborts. */
export async function runMcpStdio(options: McpStdioOptions): Promise<void> {
  const handle = serveStdio(mcpServerFactory(options), {
    onerror: (error) => options.onProtocolError(error),
    ...(options.transport ? { transport: options.transport } : {}),
  })
  await new Promise<void>((resolve) => {
    const end = (): void => resolve()
    if (!options.transport) {
      process.stdin.once('end', end)
      process.stdin.once('close', end)
    }
    if (options.signal.aborted) end()
    options.signal.addEventListener('abort', end, { once: true })
  })
  await handle.close()
}
