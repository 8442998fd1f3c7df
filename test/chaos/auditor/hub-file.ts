import { readFileSync } from 'node:fs'
import { parse } from 'yaml'
import { z } from 'zod'
import type { RoutingView } from './erp-ledger.ts'

/** What the operator's file says of statuses of one channel; what it says nothing of has the meaning that the vendor's page gives. */
const Words = z
  .object({
    order: z.record(z.string(), z.object({ payment: z.string(), fulfilment: z.string(), lifecycle: z.string() }).partial()).default({}),
    shipment: z.record(z.string(), z.string().nullable()).default({}),
    pack: z.record(z.string(), z.string()).default({}),
  })
  .prefault({})
export type Words = z.infer<typeof Words>

const HubFile = z.object({
  channels: z
    .record(z.string(), z.object({ enabled: z.boolean().default(true), shipsFrom: z.string().default('marketplace'), statusMap: Words }))
    .default({}),
  mercadolibre: z.object({ accounts: z.array(z.string()).default([]) }).default({ accounts: [] }),
  routing: z
    .array(
      z.object({
        name: z.string(),
        when: z.object({
          team: z.string().optional(),
          tag: z.string().optional(),
          pricelist: z.string().optional(),
          company: z.string().optional(),
          field: z.object({ name: z.string(), value: z.string() }).optional(),
        }),
        to: z.array(z.string()),
      }),
    )
    .default([]),
})

/** Where the operator's file says that an order goes; read here anew, never through the hub. */
export interface Routing {
  channels: string[]
  enabled(channel: string): boolean
  shipsByItself(channel: string): boolean
  wordsOf(channel: string): Words
  route(view: RoutingView): string[]
}

export function readRouting(path: string | null): Routing {
  const file = HubFile.parse(path === null ? {} : (parse(readFileSync(path, 'utf8')) ?? {}))
  const channels = [...file.mercadolibre.accounts.map((id) => `mercadolibre:${id}`), 'paris:main']
  const enabled = (channel: string): boolean => channels.includes(channel) && (file.channels[channel]?.enabled ?? true)
  return {
    channels,
    enabled,
    shipsByItself: (channel) => (file.channels[channel]?.shipsFrom ?? 'marketplace') === 'marketplace',
    wordsOf: (channel) => file.channels[channel]?.statusMap ?? Words.parse({}),
    route(view) {
      const rule = file.routing.find(({ when }) => matches(when, view))
      return channels.filter((id) => enabled(id) && (!rule || rule.to.includes(id) || rule.to.includes(id.split(':')[0] ?? '')))
    },
  }
}

function matches(when: z.infer<typeof HubFile>['routing'][number]['when'], view: RoutingView): boolean {
  return [
    when.team === undefined || view.team === when.team,
    when.tag === undefined || view.tags.includes(when.tag),
    when.pricelist === undefined || view.pricelist === when.pricelist,
    when.company === undefined || view.company === when.company,
    when.field === undefined || view.field(when.field.name) === when.field.value,
  ].every(Boolean)
}
