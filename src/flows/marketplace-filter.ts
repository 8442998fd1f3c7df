import type { ChannelNames } from '../ports/channel-names.ts'

/** A filter names no marketplace and no channel; it would match nothing, and nothing looks like good news. */
export interface BadMarketplace {
  kind: 'bad-marketplace'
  /** Every name that it may be. */
  known: string[]
}

/** Undefined for a filter that names a marketplace or a channel that is there, and for none. */
export async function marketplaceProblem(name: string | null, channels: ChannelNames): Promise<BadMarketplace | undefined> {
  if (name === null) return undefined
  const known = [...new Set((await channels.list()).flatMap(({ id, marketplace }) => [marketplace, id]))].sort()
  return known.includes(name) ? undefined : { kind: 'bad-marketplace', known }
}
