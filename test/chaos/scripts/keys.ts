import { spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { homeKeys, packageRoot } from '../../../src/home.ts'
import { keyUses } from '../../../src/drivers/postgres/webhook-key-use.ts'
import { expectedOf, perform, SMALL, workloadOf } from '../workload.ts'
import type { Script } from './script.ts'
import { EVERYTHING } from '../plan.ts'
import type { Stage } from '../stage.ts'

const OLD = 'the-old-secret-of-paris'
const NEXT = 'the-next-secret-of-paris'
/** How long both keys are good: long enough for what comes before its end on a busy machine. */
const OVERLAP_MS = 20_000

/** C1: the sender changes its webhook key under load while both are good; the old one is refused once its time is over. */
export const webhookKeyRotated: Script = {
  stage: () => ({
    hub: { env: { PARIS_API_SECRET: OLD, PARIS_API_SECRET_NEXT: NEXT } },
    yaml: [
      [
        'backoffScale:',
        `webhooks: { keys: { PARIS_API_SECRET: { id: old, notAfter: '${new Date(Date.now() + OVERLAP_MS).toISOString()}' }, PARIS_API_SECRET_NEXT: { id: next } } }\nbackoffScale:`,
      ],
    ],
  }),
  async run(stage) {
    const { running } = stage
    await stage.calm(...EVERYTHING)
    const sales = (paris: number) => ({ erp: 2, purchases: 1, paris, changes: 0 })
    const answersTo = async (ids: { id: string }[]): Promise<string> =>
      JSON.stringify(await Promise.all(ids.map(({ id }) => running.paris('POST', `/admin/orders/${id}/emit-webhook`))))
    const made = await perform(stage, workloadOf(stage.plan.seed, sales(3)))
    const old = await answersTo(made.paris)
    const inFlight = await stage.eventually(() => stage.underWay(), 'work is under way')
    await running.paris('PUT', '/admin/webhooks', { secret: NEXT })
    stage.fire('the sender changes its webhook key', inFlight)
    await perform(stage, workloadOf(stage.plan.seed + 1, sales(3)), made)
    const taken = old + (await answersTo(made.paris))
    stage.check(!/"status_code":[^2]/.test(taken), `both keys are taken while both are good: ${taken}`)
    const used = async (): Promise<number> => (await keyUses(running.hub.pools.reader)).filter(({ source }) => source === 'paris').length
    await stage.eventually(async () => (await used()) === 2 || undefined, 'both keys signed what was taken')
    const { notAfter } = running.hub.config.file.webhooks.keys.PARIS_API_SECRET ?? {}
    await stage.eventually(() => Promise.resolve(Date.now() > Date.parse(notAfter ?? '') || undefined), 'the old key is over')
    await running.paris('PUT', '/admin/webhooks', { secret: OLD, retryDelaysMs: [] })
    const refused = await answersTo(made.paris)
    stage.check(!/"status_code":(?!401)/.test(refused), `the old key is refused: ${refused}`)
    return expectedOf(made)
  },
}

/** C2: the key-encryption key is replaced under load: what runs goes on, a new process reads everything, the old key is forgotten. */
export const encryptionKeyRotated: Script = {
  async run(stage) {
    const { running } = stage
    await stage.calm(...EVERYTHING)
    const made = await perform(stage, workloadOf(stage.plan.seed, SMALL))
    const inFlight = await stage.eventually(() => stage.underWay(), 'work is under way')
    const old = homeKeys(running.home)[0]?.key
    stage.check((await rotateKeys(stage)) === 0, 'rosh rotate-keys ends with 0')
    stage.fire('the key-encryption key was replaced', inFlight)
    await perform(stage, workloadOf(stage.plan.seed + 1, { erp: 2, purchases: 1, paris: 0, changes: 0 }), made)
    await stage.eventually(async () => (await stage.underWay()) === '' || undefined, 'what ran all the while goes on')
    await stage.endCalm()
    await stage.victim(null, { role: 'worker', apart: true })
    await stage.calm('subscriber', 'reconciler')
    await perform(stage, workloadOf(stage.plan.seed + 2, { erp: 2, purchases: 1, paris: 0, changes: 0 }), made)
    const under = await stage.rows(`SELECT kek_id FROM data_key GROUP BY kek_id`)
    stage.check(under.length === 1, 'every data key is wrapped under the new one')
    const isForgotten = old !== undefined && !readFileSync(join(running.home, 'secrets.json'), 'utf8').includes(old)
    stage.check(isForgotten, 'the old key is forgotten')
    return expectedOf(made)
  },
}

function rotateKeys({ running }: Stage): Promise<number | null> {
  const program = join(packageRoot, 'src', 'main.ts')
  const child = spawn(process.execPath, [program, 'rotate-keys'], { env: { PATH: process.env.PATH, ...running.env }, stdio: 'ignore' })
  return new Promise((resolve) => child.once('close', resolve))
}
