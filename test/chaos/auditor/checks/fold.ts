import { type Breach, breach } from '../breach.ts'
import { linesText, type Refolded, refold } from '../refold.ts'
import type { HubTables } from '../hub-tables.ts'
import type { World } from '../world.ts'

/** I4: every projection equals the fold of its stored observations, and its columns say what it says. */
export function foldedAgain(world: World): Breach[] {
  const { hub, routing } = world
  const byOrder = Map.groupBy(hub.observation, (one) => one.order_id)
  return hub.silver.flatMap((row) => {
    const observations = byOrder.get(row.id) ?? []
    if (observations.length === 0) return [] // I3 names it
    const again = refold(row.origin, observations, routing.shipsByItself)
    return differences(again, row).map(({ field, stored, folded }) =>
      breach('I4', world.nameOf(row.id), `${field} is "${stored}", and its ${observations.length} observations fold to "${folded}"`, {
        field: `silver_order.${field}`,
        orderId: row.id,
      }),
    )
  })
}

interface Difference {
  field: string
  stored: string
  folded: string
}

function differences(again: Refolded, { canonical, columns }: HubTables['silver'][number]): Difference[] {
  const stored: Refolded = {
    payment: canonical.payment,
    fulfilment: canonical.fulfilment,
    lifecycle: canonical.lifecycle,
    currency: canonical.currency,
    totalMinor: canonical.totalMinor,
    confirmed: canonical.confirmed,
    flags: canonical.flags.toSorted().join(' '),
    lines: linesText(canonical.lines),
  }
  const { payment, fulfilment, lifecycle, currency, totalMinor, confirmed } = stored
  const inColumns: Partial<Refolded> = { payment, fulfilment, lifecycle, currency, totalMinor, confirmed }
  return [...differing(again, stored), ...differing(inColumns, columns).map((one) => ({ ...one, field: `column ${one.field}` }))]
}

function differing(wanted: Partial<Refolded>, stored: Partial<Refolded>): Difference[] {
  return Object.entries(wanted).flatMap(([field, value]) => {
    const there = stored[field as keyof Refolded]
    return there === value ? [] : [{ field, stored: String(there), folded: String(value) }]
  })
}
