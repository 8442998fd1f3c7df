import { join } from 'node:path'
import { Command } from 'commander'
import { registerAudit } from '../../src/cli/audit.ts'
import { registerAuth } from '../../src/cli/auth.ts'
import { registerChaos } from '../../src/cli/chaos.ts'
import type { CliContext } from '../../src/cli/context.ts'
import { registerDiagnose } from '../../src/cli/diagnose.ts'
import { registerDlq } from '../../src/cli/dlq.ts'
import { registerDoctor } from '../../src/cli/doctor.ts'
import { registerPersonalData } from '../../src/cli/personal-data.ts'
import { registerRetention } from '../../src/cli/retention.ts'
import { registerRetry } from '../../src/cli/retry.ts'
import { registerStatus } from '../../src/cli/status.ts'
import { registerTokens } from '../../src/cli/tokens.ts'
import { registerTrace } from '../../src/cli/trace.ts'
import { withStartLock } from '../../src/drivers/postgres/start-lock.ts'
import { removeInstance, writeInstance } from '../../src/home.ts'
import type { RunningHub } from './running-hub.ts'

const COMMANDS = [
  registerTrace,
  registerDiagnose,
  registerChaos,
  registerDlq,
  registerRetry,
  registerTokens,
  registerDoctor,
  registerStatus,
  registerAuth,
  registerAudit,
  registerPersonalData,
  registerRetention,
]

/** Runs one `rosh` command on a running hub, in this process. Throws what it throws; its exit code stands in `process.exitCode`. */
export async function runRosh(running: RunningHub, args: string[], print: (line: string) => void): Promise<void> {
  const { variables } = running.hub.config
  const env = {
    ROSH_HOME: running.home,
    ROSH_CONFIG: join(running.home, 'hub.yaml'),
    DATABASE_URL: running.database.url,
    HTTP_PORT: String(variables.HTTP_PORT),
    ODOO_SIM_PORT: String(variables.ODOO_SIM_PORT),
    MELI_SIM_PORT: String(variables.MELI_SIM_PORT),
    PARIS_MOCK_PORT: String(variables.PARIS_MOCK_PORT),
  }
  const context: CliContext = { env, signal: new AbortController().signal, print, progress: () => {} }
  const program = new Command('rosh').exitOverride().configureOutput({ writeErr: () => {}, writeOut: () => {} })
  for (const register of COMMANDS) register(program, context)
  await program.parseAsync(args, { from: 'user' })
}

/** Runs `work` while this process stands as the hub that was started in the home of `running`. */
export async function asHubOf({ home }: RunningHub, work: () => Promise<void>): Promise<void> {
  writeInstance(home, { pid: process.pid, startedAt: new Date().toISOString(), demo: false, urls: {}, ports: {} })
  try {
    await withStartLock(join(home, 'up.lock'), work)
  } finally {
    removeInstance(home)
  }
}
