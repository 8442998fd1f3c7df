import { describe, expect, test } from 'vitest'
import { memoryErpWorld } from '../../test/conformance/memory-erp-world.ts'
import { attemptLog, CHANNEL, drive, look, never, wantedOf } from '../../test/conformance/erp-world.ts'
import { withMappedOrigins, withMappedSkus } from './mapped-skus.ts'
import { memoryMarketplace } from './memory/marketplace.ts'

const MAP = { 'ML-TAZA': 'CONF-A' }
const line = (sku: string) => ({ lineId: 'l1', sku, quantity: '2', unitPriceMinor: 12_990 })

describe('a marketplace whose SKUs are mapped', () => {
  const memory = memoryMarketplace(CHANNEL)
  const mapped = withMappedSkus(memory, MAP)

  test('is sent its own, and is read in the ERP’s', async () => {
    const wanted = wantedOf(
      { skus: ['CONF-A', 'CONF-B'] },
      { origin: 'odoo', lines: [line('CONF-A'), { ...line('CONF-B'), lineId: 'l2' }] },
    )
    wanted.channel = CHANNEL
    const sent = await mapped.send(wanted, 'create', { kind: 'absent' }, 'r-1', never)
    wanted.externalId = sent.externalId
    expect(memory.orders.get(sent.externalId ?? '')?.lines.map((one) => one.sku)).toEqual(['ML-TAZA', 'CONF-B'])
    const shown = await mapped.lookUp(wanted, attemptLog(), never)
    expect(shown).toMatchObject({ content: { lines: [{ sku: 'CONF-A' }, { sku: 'CONF-B' }] } })
    expect(sent.shown).toEqual(shown)
    expect(mapped.next(wanted, shown)).toEqual({ kind: 'done', reason: 'already-there' })
  })

  test('its sales are taken in under the ERP’s', async () => {
    const lines = [
      { sku: 'ML-TAZA', quantity: '1', unitPriceMinor: 100 },
      { sku: 'OTHER', quantity: '1', unitPriceMinor: 100 },
    ]
    memory.buy({ id: '77', fulfilment: 'none', lines, currency: 'CLP', totalMinor: 200 })
    const { fragments } = await mapped.fetchOrder('/orders/77', attemptLog(), never)
    expect(fragments[0]?.lines?.map((one) => one.sku)).toEqual(['CONF-A', 'OTHER'])
  })
})

describe('an ERP whose marketplaces’ SKUs are mapped', () => {
  test('finds a sale that was taken in before its SKU was mapped: a replay delivers it', async () => {
    const world = memoryErpWorld()
    const plain = await world.open()
    const wanted = wantedOf(world, { lines: [line('ML-TAZA')], totalMinor: 25_980 })
    await drive(plain, wantedOf(world)) // the partner is there
    await expect(drive(plain, wanted)).rejects.toMatchObject({ detail: { causeCode: 'sku-unknown' } })
    const mapped = withMappedOrigins(plain, new Map([[CHANNEL, MAP]]))
    expect(await drive(mapped, wanted)).toMatchObject({ operations: ['create', 'confirm'], end: { kind: 'done' } })
    expect(await world.person.see(wanted.externalId ?? '')).toMatchObject({ lines: [{ sku: 'CONF-A', quantity: 2 }] })
    expect(await look(mapped, wanted)).toMatchObject({ content: { lines: [{ sku: 'ML-TAZA' }] } })
  })
})
