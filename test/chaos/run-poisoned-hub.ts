// The hub's services in one process, as `rosh up` runs them, with code that ends the process on certain orders. Only tests start it.
import { z } from 'zod'
import { SERVICES } from '../../src/apps/services.ts'
import { runService } from '../../src/apps/up.ts'
import { assemble, type Hub } from '../../src/assembly.ts'
import { loadConfig } from '../../src/config.ts'
import type { Marketplace } from '../../src/ports/marketplace.ts'
import type { Target, Wanted } from '../../src/ports/target.ts'

const Plan = z.object({
  env: z.record(z.string(), z.string()),
  databaseUrl: z.string(),
  /** SKUs of orders that end the process: when a request is decided, when it is sent, when an order was fetched. */
  poison: z.object({ next: z.string(), send: z.string(), fetch: z.string() }).nullable(),
})
export type PoisonedHubPlan = z.infer<typeof Plan>

const plan = Plan.parse(JSON.parse(process.env.CHAOS_NODE ?? '{}'))
const log = {
  info: () => {},
  warn: () => {},
  error: (fields: Record<string, unknown>, message: string) => process.stderr.write(`${message} ${String(fields.err)}\n`),
}
function withPoison(healthy: Hub, skus: NonNullable<PoisonedHubPlan['poison']>): Hub {
  return {
    ...healthy,
    targetOf: (channel) => (channel === 'odoo' ? healthy.targetOf(channel) : poisonedTarget(healthy.targetOf(channel), skus)),
    marketplaces: healthy.marketplaces.map((m) => poisonedMarketplace(m, skus.fetch)),
  }
}

const speaksOf = ({ desired }: Wanted, sku: string): boolean => desired.kind === 'order' && desired.lines.some((line) => line.sku === sku)

function poisonedTarget(target: Target, skus: { next: string; send: string }): Target {
  return {
    looksFirst: target.looksFirst,
    lookUp: (wanted, log, signal) => target.lookUp(wanted, log, signal),
    next(wanted, shown) {
      if (speaksOf(wanted, skus.next)) die()
      return target.next(wanted, shown)
    },
    send(wanted, ...rest) {
      if (speaksOf(wanted, skus.send)) die()
      return target.send(wanted, ...rest)
    },
  }
}

function poisonedMarketplace(marketplace: Marketplace, sku: string): Marketplace {
  return {
    ...marketplace,
    async fetchOrder(resource, log, signal) {
      const fetched = await marketplace.fetchOrder(resource, log, signal)
      if (fetched.fragments.some((f) => f.lines?.some((line) => line.sku === sku))) die()
      return fetched
    },
  }
}

// As a crash in native code or an out-of-memory kill would: nothing is caught, nothing is given back.
function die(): void {
  process.kill(process.pid, 'SIGKILL')
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0)
}

const assembled = await assemble(loadConfig(plan.env, { demo: false }), plan.databaseUrl, log)
// Stock has no part in these runs; its hundred updates at the start only delay them.
const channels = assembled.channels.map((channel) => ({ ...channel, capabilities: { ...channel.capabilities, updateStock: false } }))
const hub = plan.poison === null ? { ...assembled, channels } : withPoison({ ...assembled, channels }, plan.poison)
const stopping = new AbortController()
process.once('SIGTERM', () => stopping.abort())
await Promise.all(SERVICES.map((service) => runService(service, hub, stopping.signal)))
await hub.close()
