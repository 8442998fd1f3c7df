import type { Answer, Call, Route } from './call.ts'
import { missedFeed, missedFeedRow } from './notification.ts'
import type { Sim } from './sim.ts'
import { accessDenied, refusal } from './vendor-error.ts'

export const missedFeedRoutes: Route[] = [{ method: 'GET', url: '/missed_feeds', access: 'seller', answer: missedFeeds }]

/** The app's own feed, whichever of its sellers asks; ten rows unless told, `site_id` needed for items. */
function missedFeeds(sim: Sim, call: Call): Answer {
  const { query } = call
  const appId = query.get('app_id')
  if (appId === null) throw refusal(400, 'bad_request', 'app_id is a required parameter')
  if (appId !== sim.app.clientId) throw accessDenied()
  const topic = query.get('topic')
  if (topic === 'items' && query.get('site_id') === null) throw refusal(400, 'bad_request', 'site_id is required when topic is items')
  const offset = bound(query.get('offset'), 'offset', 0)
  const limit = bound(query.get('limit'), 'limit', 10)
  const rows = missedFeed(sim.world.notifications.values(), topic, sim.nowMs())
  return { status: 200, body: { messages: rows.slice(offset, offset + limit).map((row) => missedFeedRow(row, sim.app.clientId)) } }
}

function bound(text: string | null, name: string, fallback: number): number {
  if (text === null) return fallback
  if (!/^\d{1,6}$/.test(text)) throw refusal(400, 'bad_request', `${name} must be a whole number: ${text.slice(0, 40)}`)
  return Number(text)
}
