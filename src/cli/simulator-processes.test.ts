import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { type AddressInfo, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { loadConfig } from '../config.ts'
import { startSimulator } from './simulator-processes.ts'

test('a busy port of a simulator is one line that names its variable, and exit code 2', async () => {
  const home = mkdtempSync(join(tmpdir(), 'rosh-busy-'))
  const busy = createServer().listen(0, '127.0.0.1')
  await once(busy, 'listening')
  const { port } = busy.address() as AddressInfo
  try {
    const config = loadConfig({ ROSH_HOME: home, MELI_SIM_PORT: String(port) }, { demo: true })
    await expect(startSimulator('meli-sim', config)).rejects.toMatchObject({
      name: 'CliError',
      exitCode: 2,
      message: expect.stringMatching(
        new RegExp(`^meli-sim did not start: meli-sim: port ${port} is in use: .*set MELI_SIM_PORT to another port$`),
      ),
    })
  } finally {
    busy.close()
    rmSync(home, { recursive: true, force: true })
  }
})
