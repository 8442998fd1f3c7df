#!/usr/bin/env node
// What `npm run check` runs: every `check:*` script of package.json in order, all of them even after a failure.
// `npm run check -- types lint` runs only those two.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { ensureInstalled, root, run, underRecentNode } from './launch.js'

await ensureInstalled({ withDev: true })
if (await underRecentNode()) process.exitCode = await checkAll(process.argv.slice(2))

async function checkAll(only) {
  const { scripts } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
  const stages = Object.keys(scripts).filter((name) => name.startsWith('check:'))
  const unknown = only.filter((name) => !stages.includes(`check:${name}`))
  if (unknown.length > 0 || stages.length === 0) {
    console.error(
      `No such check: ${unknown.join(', ') || 'package.json has no check:* script'}. There are: ${stages.join(', ') || 'none'}.`,
    )
    return 1
  }
  const failed = []
  for (const name of stages.filter((stage) => only.length === 0 || only.includes(stage.slice('check:'.length)))) {
    const startedAt = performance.now()
    const code = await run(scripts[name], [], { cwd: root, shell: true })
    const seconds = ((performance.now() - startedAt) / 1000).toFixed(1)
    console.log(`${code === 0 ? 'ok    ' : 'FAILED'} ${name} (${seconds} s)`)
    if (code !== 0) failed.push(name)
  }
  if (failed.length > 0) console.log(`failed: ${failed.join(', ')}`)
  return failed.length === 0 ? 0 : 1
}
