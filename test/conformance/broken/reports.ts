import type { MemoryWorld } from '../memory-world.ts'
import { type Broken, changed } from './broken.ts'

/** Marketplaces that break what they promise of a parcel that another system ships. */
export const BROKEN_REPORTS: Broken<MemoryWorld>[] = [
  {
    breaks: 'Capabilities.pushFulfilment: takes word of a parcel, and shows it after',
    red: ['a parcel that another system ships is reported once, with its tracking number'],
    make: () =>
      changed((m) => ({
        async lookUp(...all) {
          const shown = await m.lookUp(...all)
          return shown.kind === 'found' ? { ...shown, content: { ...shown.content, fulfilment: 'none' } } : shown
        },
      })),
  },
  {
    breaks: 'Target.next: what is final at the target is never written over',
    red: ['what stands there for ever is never reported over'],
    make: () =>
      changed((m) => ({
        next: (wanted, shown) => {
          const step = m.next(wanted, shown)
          const isFinal = step.kind === 'refused' && step.summary.includes('for ever')
          return isFinal ? { kind: 'send', operation: 'track' } : step
        },
      })),
  },
]
