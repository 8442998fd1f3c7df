#!/usr/bin/env node
// The `rosh` command and what `npm start` runs: finds a Node that can run the hub, then runs it in this process.
import { existsSync } from 'node:fs'
import * as nodeModule from 'node:module'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { ensureInstalled, requireInstalled, root, underRecentNode } from './launch.js'

// Only `npm start` and `npm test` may install; any other use must not change the folder it is called in.
if (['start', 'test'].includes(process.env.npm_lifecycle_event ?? '')) await ensureInstalled()
else requireInstalled()

if (await underRecentNode()) {
  // Stripped types and compiled code are kept, or each command would pay for them again: half of the CPU time of a short one.
  nodeModule.enableCompileCache?.(join(root, 'node_modules', '.cache', 'rosh'))
  const source = join(root, 'src', 'main.ts')
  const program = existsSync(source) ? source : join(root, 'dist', 'src', 'main.js')
  process.argv[1] = program
  await import(pathToFileURL(program).href)
}
