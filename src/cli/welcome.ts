import { join, resolve } from 'node:path'
import type { Config } from '../config.ts'
import { packageRoot } from '../home.ts'

/** Where an agent's MCP process is: by absolute path, since agents start it from anywhere. */
function mcpConfiguration(config: Config): Record<string, unknown> {
  return {
    mcpServers: {
      'order-sync-hub': {
        command: 'node',
        args: [join(packageRoot, 'bin', 'rosh.js'), 'mcp'],
        env: { ROSH_HOME: config.home, ...configFile(config), MCP_TOKEN: config.secrets.operatorToken },
      },
    },
  }
}

const configFile = ({ variables }: Config): Record<string, string> =>
  variables.ROSH_CONFIG === undefined ? {} : { ROSH_CONFIG: resolve(packageRoot, variables.ROSH_CONFIG) }

/** What `rosh up --demo` prints when the Monday stands. */
export function welcome(config: Config): string {
  return `
The Monday is in. The hub listens on http://127.0.0.1:${config.httpPort} (webhooks, health).

Try, from a second terminal in this folder:
  npx rosh status                     what runs where
  npx rosh trace ML-12345             why an order did not appear, with evidence
  npx rosh dlq list                   everything that was given up on, by cause
  npx rosh dlq replay outbox-<id>     one dead letter back to pending

Connect an agent: paste this into its MCP configuration (operator rights; the token is this machine's own).
${JSON.stringify(mcpConfiguration(config), null, 2)}
${config.databaseUrl ? 'The database is not the embedded one: give the agent’s process the same DATABASE_URL (or APP_DB_*) as this one.\n' : ''}
Then ask it: "Why did order ML-12345 not appear in MercadoLibre?"
Ctrl-C stops everything; the data stays.`
}
