import pg from 'pg'
import { cloneDatabase, type TestDatabase } from './database.ts'
import { beginRun, endRun, restartServer, serverOf } from './test-server.ts'

/** A PostgreSQL server of one's own, for tests that stop it, fill its disk or change its logins. */
export interface OwnServer {
  folder: string
  superuserUrl: string
  clone(): Promise<TestDatabase>
  /** Fast (SIGINT) or immediate (SIGQUIT) shutdown, then started again after the pause. */
  restart(signal: 'SIGINT' | 'SIGQUIT', pauseMs?: number): Promise<void>
  end(): void
}

/** `prepare` is called with the folder before the server is made there. */
export async function ownServer(prepare: (folder: string) => void = () => {}): Promise<OwnServer> {
  const folder = beginRun()
  prepare(folder)
  const { superuserUrl } = await serverOf(folder)
  return {
    folder,
    superuserUrl,
    async clone() {
      const database = await cloneDatabase(folder)
      // The tests' servers commit without waiting for their log, which an immediate shutdown would lose; no other crash does.
      await asSuperuser(superuserUrl, `ALTER DATABASE ${database.name} SET synchronous_commit = on`)
      return database
    },
    restart: (signal, pauseMs) => restartServer(folder, signal, pauseMs),
    end: () => endRun(folder),
  }
}

/** Runs statements as the server's superuser, one after the other. */
export async function asSuperuser(superuserUrl: string, ...statements: string[]): Promise<void> {
  const client = new pg.Client({ connectionString: superuserUrl })
  client.on('error', () => {})
  await client.connect()
  try {
    for (const statement of statements) await client.query(statement)
  } finally {
    await client.end()
  }
}
