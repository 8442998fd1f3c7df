import type { Breach } from './breach.ts'
import type { OrderCheck } from './check-erp-born.ts'
import type { SilverRow } from './hub-tables.ts'
import { attemptText, type World } from './world.ts'

const MOST_ENTRIES = 14

/** What happened to a breach's order, oldest first: ledgers, versions, attempts. The newest ones, where it is long. */
export function timelineOf(found: Breach, checks: readonly OrderCheck[], world: World): string[] {
  const { hub, lines } = world
  const silver = silverOf(found, checks, world)
  if (!silver) return []
  const bound = hub.binding.filter((row) => row.order_id === silver.id)
  const idsAt = (system: string): Set<string> =>
    new Set([
      ...(silver.origin.startsWith(system) ? [silver.order_key] : []),
      ...bound.flatMap((row) => (row.channel.startsWith(system) && row.external_id !== null ? [row.external_id] : [])),
    ])
  const ledgers = (['odoo', 'meli', 'paris'] as const).flatMap((name) => {
    const ids = idsAt(name === 'meli' ? 'mercadolibre' : name)
    return lines[name].flatMap((line) =>
      line.kind === 'order' && ids.has(line.id)
        ? [{ at: Date.parse(line.at), text: `${name} ledger ${line.seq}: ${line.act} ${line.id} by ${line.by}` }]
        : [],
    )
  })
  const deliveries = hub.delivery.filter((row) => row.order_id === silver.id)
  const own = new Set(deliveries.map((row) => row.id))
  const events = new Set(hub.event.filter((row) => row.order_id === silver.id).map((row) => row.id))
  const entries = [
    ...ledgers,
    ...deliveries.map((row) => ({ at: row.created_ms, text: `delivery ${row.id}: version ${row.version} for ${row.channel} planned` })),
    ...deliveries.flatMap((row) =>
      row.ended_ms === null ? [] : [{ at: row.ended_ms, text: `delivery ${row.id}: ${row.state} ${row.cause ?? ''}` }],
    ),
    ...hub.attempt
      .filter((row) => own.has(row.delivery_id ?? '') || events.has(row.inbound_event_id ?? ''))
      .map((row) => ({ at: row.started_ms, text: `attempt ${attemptText(row)} under lease ${row.lease}` })),
  ]
  return entries
    .toSorted((a, b) => a.at - b.at)
    .slice(-MOST_ENTRIES)
    .map(({ at, text }) => `${new Date(at).toISOString()} ${text.trimEnd()}`)
}

function silverOf(found: Breach, checks: readonly OrderCheck[], world: World): SilverRow | undefined {
  if (found.orderId !== null) return world.hub.silver.find((row) => row.id === found.orderId)
  const check = checks.find((one) => one.label === found.order || one.names.includes(found.order.toUpperCase()))
  return check && world.silverOf(check.origin, check.key)
}
