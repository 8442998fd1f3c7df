import type { Channel, ChannelTiming } from '../../../src/core/channel.ts'
import { aChannel } from '../../support/flow-fixtures.ts'

/** Long windows: the time that a schedule really takes decides nothing, only the hub's clock, which the schedule moves. */
export const TIMING: ChannelTiming = { timeoutMs: 60_000, marginMs: 30_000, settleMs: 300_000, leaseMs: 120_000 }

export const MARKETPLACES = ['mercadolibre:1001', 'paris:main'] as const
export const CHANNELS: readonly Channel[] = ['odoo', ...MARKETPLACES].map((id) => aChannel(id, { timing: TIMING }))

export function channelOf(id: string): Channel {
  const channel = CHANNELS.find((one) => one.id === id)
  if (!channel) throw new Error(`no channel ${id}`)
  return channel
}
