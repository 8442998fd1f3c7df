import { beginRun, dropDatabasesOf, endRun, runVariable } from './test-server.ts'

/** Gives the run a folder for its PostgreSQL and ends both with the run, also on Ctrl-C. */
export function setup(): () => Promise<void> {
  const folder = beginRun()
  process.env[runVariable] = folder
  const end = () => endRun(folder)
  process.once('exit', end)
  const onSignal = (signal: NodeJS.Signals) => {
    end()
    process.kill(process.pid, signal)
  }
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const
  for (const signal of signals) process.once(signal, onSignal)
  return async () => {
    await dropDatabasesOf(folder)
    end()
    process.removeListener('exit', end)
    for (const signal of signals) process.removeListener(signal, onSignal)
  }
}
