import type { Erp } from '../ports/erp.ts'
import type { Marketplace } from '../ports/marketplace.ts'
import type { Shown, Target, Wanted } from '../ports/target.ts'

type Translate = (sku: string) => string

/** SKUs of a marketplace account to those of the ERP; what is not in it has one name in both. */
export type SkuMap = Readonly<Record<string, string>>

/** The hub speaks the ERP's SKUs; this account is told, and tells, its own. */
export function withMappedSkus(marketplace: Marketplace, map: SkuMap): Marketplace {
  const toErp = translator(Object.entries(map))
  const toMarketplace = translator(Object.entries(map).map(([theirs, ours]) => [ours, theirs]))
  return {
    ...translated(marketplace, (wanted) => (originOf(wanted) === marketplace.channel ? null : toMarketplace)),
    async fetchOrder(...all) {
      const fetched = await marketplace.fetchOrder(...all)
      const fragments = fetched.fragments.map((fragment) =>
        fragment.lines ? { ...fragment, lines: renamed(fragment.lines, toErp) } : fragment,
      )
      return { ...fetched, fragments }
    },
  }
}

/**
 * Sales are taken in under the ERP's SKUs already; what was taken in before a SKU was mapped still bears the marketplace's, and a replay must
 * find it. So the map of the account that an order was born in is looked at once more on its way to the ERP.
 */
export function withMappedOrigins<T extends Erp>(erp: T, maps: ReadonlyMap<string, SkuMap>): T {
  const toErp = new Map([...maps].map(([channel, map]) => [channel, translator(Object.entries(map))]))
  return translated(erp, (wanted) => toErp.get(originOf(wanted) ?? '') ?? null)
}

function originOf({ desired }: Wanted): string | null {
  return desired.kind === 'order' ? desired.origin : null
}

function translator(pairs: readonly [string, string][]): Translate {
  const names = new Map(pairs)
  return (sku) => names.get(sku) ?? sku
}

/** A target in whose words a version is put, and whose look-up is put back into the version's. */
function translated<T extends Target>(target: T, translateFor: (wanted: Wanted) => Translate | null): T {
  return {
    ...target,
    async lookUp(wanted: Wanted, ...rest: [Parameters<Target['lookUp']>[1], AbortSignal]) {
      const there = translateFor(wanted)
      if (!there) return target.lookUp(wanted, ...rest)
      return shownAs(await target.lookUp(said(wanted, there), ...rest), back(wanted, there))
    },
    next(wanted: Wanted, shown: Shown) {
      const there = translateFor(wanted)
      return there ? target.next(said(wanted, there), shownAs(shown, there)) : target.next(wanted, shown)
    },
    async send(...[wanted, operation, shown, ...rest]: Parameters<Target['send']>) {
      const there = translateFor(wanted)
      if (!there) return target.send(wanted, operation, shown, ...rest)
      const sent = await target.send(said(wanted, there), operation, shownAs(shown, there), ...rest)
      return { ...sent, shown: sent.shown && shownAs(sent.shown, back(wanted, there)) }
    },
  }
}

function said(wanted: Wanted, translate: Translate): Wanted {
  const { desired } = wanted
  if (desired.kind === 'stock') return { ...wanted, desired: { ...desired, sku: translate(desired.sku) } }
  return { ...wanted, desired: { ...desired, lines: renamed(desired.lines, translate) } }
}

// Only the version's own names are put back: what else stands there keeps its name, and so shows as a difference.
function back({ desired }: Wanted, there: Translate): Translate {
  const skus = desired.kind === 'stock' ? [desired.sku] : desired.lines.map((line) => line.sku)
  return translator(skus.map((sku) => [there(sku), sku]))
}

function shownAs(shown: Shown, translate: Translate): Shown {
  if (shown.kind === 'absent') return shown
  return { ...shown, content: { ...shown.content, lines: renamed(shown.content.lines, translate) } }
}

function renamed<Line extends { sku: string }>(lines: readonly Line[], translate: Translate): Line[] {
  return lines.map((line) => ({ ...line, sku: translate(line.sku) }))
}
