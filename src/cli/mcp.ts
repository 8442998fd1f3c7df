import { stdioAuthenticator, stdioIdentity } from '../apps/mcp-server/principal.ts'
import { runMcpStdio } from '../apps/mcp-server/stdio.ts'
import type { Config } from '../config.ts'
import { openDesk } from '../desk.ts'
import { runningConfig } from './configuration.ts'
import { CliError, type Register } from './context.ts'
import { attachDatabase } from './database.ts'
import { logTo } from './log.ts'

/** `rosh mcp`: the process that an agent starts. stdout belongs to the protocol. */
export const registerMcp: Register = (program, context) => {
  program
    .command('mcp')
    .description('serve MCP over stdio for an agent; who it acts as stands in MCP_TOKEN')
    .action(async () => {
      const config = runningConfig(context)
      const identity = stdioIdentity({ mcpToken: config.variables.MCP_TOKEN?.reveal() ?? null, staticTokens: staticTokens(config) })
      if (identity.kind === 'misconfigured') throw new CliError('misconfigured', identity.reason)
      const { url } = await attachDatabase(config)
      const desk = await openDesk(config, url)
      const log = logTo(config.variables.LOG_LEVEL)
      try {
        await runMcpStdio({
          ports: desk,
          authenticate: stdioAuthenticator(identity, desk.tokens),
          version: '0.1.0',
          onBug: (error, tool) => log.error({ err: error, reason: tool }, 'a tool failed'),
          onProtocolError: (error) => log.warn({ err: error }, 'a fault of the protocol'),
          signal: context.signal,
        })
      } finally {
        await desk.close()
      }
    })
}

// The tokens of this home count only for who names one of them: no token, no access.
function staticTokens(config: Config): string {
  const given = config.variables.MCP_STATIC_TOKENS?.reveal() ?? ''
  if (!config.variables.MCP_TOKEN) return given
  return [given, `${config.secrets.viewerToken}:viewer`, `${config.secrets.operatorToken}:operator`]
    .filter((entry) => entry !== '')
    .join(';')
}
