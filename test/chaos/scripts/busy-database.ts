import { EVERYTHING } from '../plan.ts'
import type { Stage } from '../stage.ts'
import { whileLocked } from './operators.ts'
import type { Script } from './script.ts'
import { bought } from './webhooks.ts'

const ML = 'mercadolibre:1001'
/** Who is refused sooner never waited for a connection, which takes 5 s. */
const CONNECTION_WAIT_MS = 4_000

/** D3: a lock of 6 s on the table that every webhook writes, or on the one row that they all refer to, by the title. */
export const lockedOut: Script = {
  async run(stage) {
    const isRow = stage.plan.title.includes('row')
    await stage.calm(...EVERYTHING)
    await whileLocked(stage, isRow ? { row: ML } : { table: 'inbound_event' }, async () => {
      const sale = `/orders/${(await bought(stage)).order_ids[0]}`
      stage.fire(isRow ? 'a lock of 6 s on the row of the account' : 'a lock of 6 s on the inbox', sale)
      const answers: Posted[] = []
      await postedTogether(stage, { count: 40, body: notificationOf(sale), answers })
      refusedAll(stage, answers)
    })
    return { erpToMarketplace: 0, marketplaceToErp: 1 }
  },
}

/** D3: what a webhook writes takes longer than a statement may: it is ended, and nothing is acknowledged. */
export const statementTooLong: Script = {
  async run(stage) {
    // No sweep: what it finds waits in the same queue.
    await stage.calm('worker', 'subscriber')
    await stage.rows(`CREATE FUNCTION slow_insert() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(60); RETURN NEW; END'`)
    await stage.rows('CREATE TRIGGER slow BEFORE INSERT ON inbound_event FOR EACH ROW EXECUTE FUNCTION slow_insert()')
    const sale = `/orders/${(await bought(stage, { no_notify: true })).order_ids[0]}`
    stage.fire('an insert that takes a minute', sale)
    const answers: Posted[] = []
    // As many as are written at once: what waits behind them has its connection ended before its answer.
    await postedTogether(stage, { count: 2, body: notificationOf(sale), answers })
    refusedAll(stage, answers)
    await stage.rows('DROP TRIGGER slow ON inbound_event')
    await postedTogether(stage, { count: 1, body: notificationOf(sale), answers })
    stage.check(answers.at(-1)?.status === 200, 'what its sender tries again is taken')
    return { erpToMarketplace: 0, marketplaceToErp: 1 }
  },
}

const notificationOf = (resource: string): string =>
  JSON.stringify({ resource, user_id: 1001, topic: 'orders_v2', application_id: 1234567890123456, attempts: 1 })

/** More bytes of webhooks than may wait for the database; so many small ones would be more than one sender may send. */
const CROWD = { posts: 60, bytes: 900_000 }

/** D3: no connection is left for webhooks: what waits for one is bounded and refused when its wait is over, what comes on top at once. */
export const poolExhausted: Script = {
  async run(stage) {
    const { ingest } = stage.running.hub.pools
    await stage.calm(...EVERYTHING)
    const held = await Promise.all(Array.from({ length: ingest.options.max }, () => ingest.connect()))
    const answers: Posted[] = []
    const isOver = ({ ms }: Posted): boolean => ms > CONNECTION_WAIT_MS
    const sale = `/orders/${(await bought(stage)).order_ids[0]}`
    stage.fire(`all ${held.length} connections of the receiver are taken`, sale)
    await postedTogether(stage, { count: CROWD.posts, body: 'x'.repeat(CROWD.bytes), answers })
    refusedAll(stage, answers)
    stage.check(answers.some(isOver), 'some wait for a connection')
    const atOnce = answers.filter((one) => !isOver(one)).length
    stage.figures['refused at once'] = atOnce
    stage.check(atOnce > 0, 'the queue is bounded: some find no room in it')
    for (const client of held) client.release()
    await postedTogether(stage, { count: 1, body: notificationOf(sale), answers })
    stage.check(answers.at(-1)?.status === 200, 'what comes once there are connections again is taken')
    return { erpToMarketplace: 0, marketplaceToErp: 1 }
  },
}

interface Posted {
  /** 0 of a connection that ended before its answer. */
  status: number
  retryAfter: string | null
  ms: number
}

interface Posts {
  count: number
  body: string
  /** Filled as they come. */
  answers: Posted[]
}

async function postedTogether({ running }: Stage, { count, body, answers }: Posts): Promise<void> {
  const url = `${running.webhooks}/webhooks/mercadolibre/${running.hub.config.mercadolibre.pathSecret.reveal()}`
  const began = performance.now()
  const post = async (): Promise<void> => {
    const answer = await fetch(url, { method: 'POST', body, headers: { 'content-type': 'application/json' } }).then(
      (reply) => reply.arrayBuffer().then(() => ({ status: reply.status, retryAfter: reply.headers.get('retry-after') })),
      () => ({ status: 0, retryAfter: null }),
    )
    answers.push({ ...answer, ms: performance.now() - began })
  }
  await Promise.all(Array.from({ length: count }, post))
}

/** None may be acknowledged that was not stored, and each is told when to come again. */
function refusedAll(stage: Stage, posts: readonly Posted[]): void {
  const statuses = [...new Set(posts.map(({ status }) => status))].join(' ')
  stage.check(statuses === '503', `none is acknowledged meanwhile: ${statuses}`)
  stage.check(
    posts.every(({ retryAfter }) => retryAfter !== null),
    'a 503 says when to come again',
  )
}
