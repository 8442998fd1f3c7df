import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { packageRoot } from '../../src/home.ts'

// In a process of its own: the log writes to the real stderr.
function linesOf(program: string): string[] {
  const log = JSON.stringify(join(packageRoot, 'src', 'cli', 'log.ts'))
  const run = spawnSync(
    process.execPath,
    ['--input-type=module', '-e', `import { logTo } from ${log}\nconst log = logTo('info')\n${program}`],
    {
      encoding: 'utf8',
    },
  )
  expect(run.status).toBe(0)
  return run.stderr.split('\n').filter((line) => line !== '')
}

test('a value with line ends, in a field, in the text and in an error, makes one line each', () => {
  const lines = linesOf(`
    const forged = 'x\\r\\n{"level":50,"msg":"forged"}\\n'
    log.info({ reason: forged }, 'field')
    log.warn({}, forged)
    log.error({ err: new Error(forged) }, 'error')
    log.error({ [forged]: forged, channel: forged, path: '\\u2028' + forged }, 'name')`)
  expect(lines).toHaveLength(4)
  for (const line of lines) expect(() => JSON.parse(line) as unknown).not.toThrow()
  expect(lines.map((line) => (JSON.parse(line) as { level: number }).level)).toEqual([30, 40, 50, 50])
})
