// Applies the migrations and dies after some of them, between two statements. Only test/chaos starts it.
import { join } from 'node:path'
import { z } from 'zod'
import { migrate } from '../../src/drivers/postgres/migrate.ts'
import { packageRoot } from '../../src/home.ts'

const { url, dieAfter } = z.object({ url: z.string(), dieAfter: z.number() }).parse(JSON.parse(process.env.MIGRATE ?? '{}'))
let applied = 0
await migrate({
  url,
  folder: join(packageRoot, 'migrations'),
  log: () => {
    applied += 1
    // The next one has begun by then: its transaction is open and its statements are under way.
    if (applied === dieAfter) setTimeout(() => process.kill(process.pid, 'SIGKILL'), 3)
  },
})
