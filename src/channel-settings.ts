import type { Config } from './config.ts'
import type { HubFile } from './config-file.ts'
import { type Capabilities, type Channel, type ChannelTiming, leaseProblem, ODOO_CHANNEL } from './core/channel.ts'
import { realCapabilities, simulatorCapabilities } from './drivers/mercadolibre/capabilities.ts'

const NONE: Capabilities = {
  createOrder: false,
  updateOrder: false,
  cancelOrder: false,
  updateStock: false,
  pushFulfilment: false,
  fractionalQuantity: false,
  idempotentCreate: false,
}
const MARKETPLACE_TIMING: ChannelTiming = { timeoutMs: 15_000, marginMs: 2_000, settleMs: 30_000, leaseMs: 40_000 }
// Odoo repeats a serialization failure by itself for longer than 30 s, so its writes get longer.
const ODOO_TIMING: ChannelTiming = { timeoutMs: 90_000, marginMs: 2_000, settleMs: 30_000, leaseMs: 120_000 }

type Settings = HubFile['channels'][string]

/** The channels of this configuration: Odoo, the MercadoLibre accounts and Paris, with what each can do in its configured mode. */
export function channelsOf(config: Config): Channel[] {
  const { file, mercadolibre, paris } = config
  const mock: Capabilities = { ...NONE, createOrder: true, updateOrder: true, cancelOrder: true }
  return [
    channel(ODOO_CHANNEL, 'odoo', { ...NONE, createOrder: true, cancelOrder: true, fractionalQuantity: true }, file.channels[ODOO_CHANNEL]),
    ...file.mercadolibre.accounts.map((userId) => {
      const id = `mercadolibre:${userId}`
      return channel(id, 'mercadolibre', mercadolibre.simulated ? simulatorCapabilities : realCapabilities, file.channels[id])
    }),
    channel('paris:main', 'paris', { ...mock, idempotentCreate: paris.simulated }, file.channels['paris:main']),
  ]
}

/** The same configuration with the accounts that `rosh auth` added to those it names. */
export function withAccounts(config: Config, added: readonly string[]): Config {
  const accounts = [...new Set([...config.file.mercadolibre.accounts, ...added])]
  return { ...config, file: { ...config.file, mercadolibre: { ...config.file.mercadolibre, accounts } } }
}

function channel(id: string, marketplace: Channel['marketplace'], capabilities: Capabilities, settings: Settings | undefined): Channel {
  const given = Object.fromEntries(Object.entries(settings?.timing ?? {}).filter(([, value]) => value !== undefined))
  return {
    id,
    marketplace,
    enabled: settings?.enabled ?? true,
    shipsFrom: settings?.shipsFrom ?? 'marketplace',
    capabilities: { ...capabilities, idempotentCreate: settings?.idempotentCreate ?? capabilities.idempotentCreate },
    timing: { ...(marketplace === 'odoo' ? ODOO_TIMING : MARKETPLACE_TIMING), ...given },
  }
}

/** What is wrong with the configured channels, one sentence each naming the field. */
export function channelProblems(config: Config): string[] {
  const known = new Set(channelsOf(config).map((c) => c.id))
  const timings = channelsOf(config).flatMap((c) => {
    const problem = leaseProblem(c.timing)
    return problem ? [`channels.${c.id}.timing: ${problem}`] : []
  })
  const strangers = Object.keys(config.file.channels).flatMap((id) =>
    known.has(id) ? [] : [`channels.${id}: there is no such account; add it to mercadolibre.accounts or remove it`],
  )
  const targets = config.file.routing.flatMap((rule) =>
    rule.to.flatMap((to) =>
      known.has(to) || to === 'mercadolibre' || to === 'paris'
        ? []
        : [`routing rule "${rule.name}": ${to} is no marketplace and no channel`],
    ),
  )
  return [...timings, ...strangers, ...targets, ...skuProblems(config), ...statusProblems(config), ...warehouseProblems(config)]
}

export function concurrencyOf(config: Config, id: string): number {
  return config.file.channels[id]?.concurrency ?? (id === ODOO_CHANNEL ? 4 : 16)
}

// Two SKUs of one name, or a name that stands on both sides, could not be put back.
function skuProblems(config: Config): string[] {
  return Object.entries(config.file.channels).flatMap(([id, { skuMap = {} }]) => {
    const ours = Object.values(skuMap)
    const twice = ours.filter((sku, at) => ours.indexOf(sku) !== at).map((sku) => `two SKUs stand for ${sku}`)
    const chained = ours.filter((sku) => Object.hasOwn(skuMap, sku) && skuMap[sku] !== sku).map((sku) => `${sku} stands on both sides`)
    return [...new Set([...twice, ...chained])].map((problem) => `channels.${id}.skuMap: ${problem}`)
  })
}

/** Axes that an order's status says, and other maps, by marketplace. */
const SAID: Record<'mercadolibre' | 'paris', { axes: string[]; parts: string[]; elsewhere: string }> = {
  mercadolibre: { axes: ['payment', 'lifecycle'], parts: ['shipment', 'pack'], elsewhere: 'its shipments say that: put it under shipment' },
  paris: { axes: ['fulfilment', 'lifecycle'], parts: [], elsewhere: 'Paris shows paid orders alone' },
}

// One schema stands for all channels; an entry that nothing would read is no silent wish.
function statusProblems(config: Config): string[] {
  return channelsOf(config).flatMap(({ id, marketplace }) => {
    const { order = {}, ...others } = config.file.channels[id]?.statusMap ?? {}
    if (marketplace === 'odoo') return config.file.channels[id]?.statusMap ? [`channels.${id}.statusMap: only marketplaces have one`] : []
    const { axes, parts, elsewhere } = SAID[marketplace]
    return [
      ...Object.keys(others).flatMap((part) =>
        parts.includes(part) ? [] : [`channels.${id}.statusMap.${part}: the marketplace shows no ${part}; put the status under order`],
      ),
      ...Object.entries(order).flatMap(([word, meaning]) =>
        Object.keys(meaning).flatMap((axis) =>
          axes.includes(axis) ? [] : [`channels.${id}.statusMap.order.${word}.${axis}: not read; ${elsewhere}`],
        ),
      ),
    ]
  })
}

function warehouseProblems({ file }: Config): string[] {
  return Object.entries(file.channels).flatMap(([id, { warehouse, warehouseId }]) => [
    ...(warehouse && !id.startsWith('mercadolibre:') ? [`channels.${id}.warehouse: only MercadoLibre accounts have one`] : []),
    ...(warehouseId !== undefined && id !== ODOO_CHANNEL ? [`channels.${id}.warehouseId: stands under channels.odoo`] : []),
  ])
}
