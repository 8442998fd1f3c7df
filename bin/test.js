#!/usr/bin/env node
// What `npm test` runs: install when needed, then vitest under Node 24. Arguments are vitest's own.
import { join } from 'node:path'
import { ensureInstalled, root, run, underRecentNode } from './launch.js'

await ensureInstalled({ withDev: true })
if (await underRecentNode()) {
  const vitest = join(root, 'node_modules', 'vitest', 'vitest.mjs')
  process.exitCode = await run(process.execPath, [vitest, 'run', ...process.argv.slice(2)], { cwd: root })
}
