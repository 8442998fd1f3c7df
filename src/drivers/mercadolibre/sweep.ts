import { isDeepStrictEqual } from 'node:util'
import { z } from 'zod'
import { type InboundEvent, orderPointer, type Reading } from '../../core/inbound-event.ts'
import type { SweepPage } from '../../ports/marketplace.ts'
import { digits, sweepOrders } from './calls.ts'
import { type MeliClient, readAnswer } from './client.ts'
import { type ConnectedAccount, missedEvent } from './notification.ts'
import { instantOf, orderKeyOf } from './order.ts'
import { ORDER_TOPICS } from './resource.ts'

/** Date filters drop minutes and the index runs behind, so a window begins this much before what was asked. */
const OVERLAP_MS = 2 * 3_600_000
const PAGE_SIZE = 50
// Orders that leave the list while it is paged (a cancellation) pull later rows forward; a step short of a page still sees them.
const PAGE_STEP = 45

/** Two lists, one after the other: the default one leaves cancelled orders out. */
const LISTS = ['open', 'cancelled'] as const
type List = (typeof LISTS)[number]

/**
 * One page of the orders changed since an instant. Pages come in the order of the vendor's list (`date_closed`), rows of a page by version:
 * only after the last page has everything up to a version been seen.
 */
export async function changedOrders(
  from: { client: MeliClient; userId: string },
  window: { sinceIso: string; page: string | null },
  signal: AbortSignal,
): Promise<SweepPage> {
  const { list, offset } = pageOf(window.page)
  const { results, paging } = await sweepOrders(
    from.client,
    {
      seller: digits(from.userId),
      'order.date_last_updated.from': new Date(Date.parse(window.sinceIso) - OVERLAP_MS).toISOString(),
      ...(list === 'cancelled' ? { 'order.status': 'cancelled' } : {}),
      sort: 'date_asc',
      offset: String(offset),
      limit: String(PAGE_SIZE),
    },
    signal,
  )
  const resources = results.map((row) => ({
    resource: orderPointer(row.id),
    orderKey: orderKeyOf(row),
    version: instantOf(row.last_updated, 'results.last_updated'),
    createdAt: row.date_created ? instantOf(row.date_created, 'results.date_created') : null,
  }))
  resources.sort((a, b) => Date.parse(a.version) - Date.parse(b.version))
  const hasMore = results.length > 0 && offset + results.length < paging.total
  return { resources, next: hasMore ? `${list}:${offset + Math.min(results.length, PAGE_STEP)}` : firstPageAfter(list) }
}

function pageOf(page: string | null): { list: List; offset: number } {
  const [name, offset] = (page ?? 'open:0').split(':')
  const list = LISTS.find((one) => one === name)
  if (list === undefined || !/^\d{1,9}$/.test(offset ?? '')) throw new Error(`no page of a sweep: ${page}`)
  return { list, offset: Number(offset) }
}

function firstPageAfter(list: List): string | null {
  return list === 'open' ? 'cancelled:0' : null
}

const FEED_LIMIT = 50
const MOST_FEED_PAGES = 40

/**
 * Notifications of the last two days that were given up on, by topic. The feed is the application's, so rows of its other accounts are
 * left to them. What stands in it once may stand in it for two days: the inbox knows duplicates.
 */
export async function missedOrderEvents(client: MeliClient, account: ConnectedAccount, signal: AbortSignal): Promise<Reading> {
  const events: InboundEvent[] = []
  for (const topic of ORDER_TOPICS) {
    let before: unknown[] = []
    for (let page = 0; page < MOST_FEED_PAGES; page++) {
      const rows = await feedPage(client, { appId: account.appId, topic, offset: page * FEED_LIMIT }, signal)
      // A feed that does not page shows the same rows for ever.
      if (isDeepStrictEqual(rows, before)) break
      before = rows
      events.push(...rows.flatMap((row) => ownEvent(row, account)))
      if (rows.length < FEED_LIMIT) break
    }
  }
  return { kind: 'events', events }
}

async function feedPage(client: MeliClient, at: { appId: string; topic: string; offset: number }, signal: AbortSignal): Promise<unknown[]> {
  const query = new URLSearchParams({ app_id: at.appId, topic: at.topic, limit: String(FEED_LIMIT), offset: String(at.offset) })
  const answer = await client.call({ method: 'GET', path: `/missed_feeds?${query.toString()}`, signal })
  return readAnswer(z.object({ messages: z.array(z.unknown()) }), answer).messages
}

// A row that cannot be read must not hide the others.
function ownEvent(row: unknown, account: ConnectedAccount): InboundEvent[] {
  const read = missedEvent(row, [account])
  return read.kind === 'event' && read.event.ignore === null ? [read.event] : []
}
