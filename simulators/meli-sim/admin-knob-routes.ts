import { z } from 'zod'
import { accountList, accountOf } from './admin-account-routes.ts'
import type { Answer, Call, Route } from './call.ts'
import { readBody } from './call.ts'
import { itemView } from './item.ts'
import { addItem, setStock } from './listing.ts'
import { LedgerProfile, Settings } from './settings.ts'
import type { Sim } from './sim.ts'
import { saveState } from './sim.ts'
import { refusal } from './vendor-error.ts'
import { skuKey } from './world.ts'

export const adminKnobRoutes: Route[] = [
  { method: 'GET', url: '/admin/state', access: 'admin', answer: (sim) => ({ status: 200, body: stateOf(sim) }) },
  { method: 'GET', url: '/admin/settings', access: 'admin', answer: (sim) => ({ status: 200, body: sim.settings }) },
  { method: 'PUT', url: '/admin/settings', access: 'admin', answer: setSettings },
  { method: 'PUT', url: '/admin/profile', access: 'admin', answer: setProfile },
  { method: 'PUT', url: '/admin/callback', access: 'admin', answer: setCallback },
  { method: 'GET', url: '/admin/notifications', access: 'admin', answer: listNotifications },
  { method: 'POST', url: '/admin/notifications', access: 'admin', answer: notify },
  { method: 'GET', url: '/admin/rate-limits', access: 'admin', answer: (sim) => ({ status: 200, body: { limits: sim.limits.list() } }) },
  { method: 'PUT', url: '/admin/rate-limits', access: 'admin', answer: setRateLimits },
  { method: 'PUT', url: '/admin/partials', access: 'admin', answer: setPartials },
  { method: 'POST', url: '/admin/items', access: 'admin', answer: putItem },
  { method: 'POST', url: '/admin/unknown-skus', access: 'admin', answer: addUnknownSkus },
  { method: 'DELETE', url: '/admin/unknown-skus', access: 'admin', answer: removeUnknownSkus },
  { method: 'POST', url: '/admin/refuse-references', access: 'admin', answer: refuseReferences },
  { method: 'DELETE', url: '/admin/refuse-references', access: 'admin', answer: allowReferences },
]

const pattern = z.string().refine(isPattern, 'not a regular expression')

const CallbackBody = z.strictObject({
  url: z.url({ protocol: /^https?$/ }).nullable(),
  secret: z.string().min(1).nullable().default(null).describe('signing relay: adds X-Signature'),
  topics: z.array(z.string()).nullable().default(null),
})
const NotificationBody = z
  .strictObject({
    topic: z.string().max(200).default('raw'),
    resource: z.string().max(2_000).default(''),
    user_id: z.number().int().default(0),
    actions: z.array(z.string()).optional(),
    body: z.unknown().optional().describe('this JSON instead of the usual body'),
    raw: z.string().optional().describe('these bytes instead of the usual body'),
  })
  .refine((one) => one.body !== undefined || one.raw !== undefined || one.resource !== '', 'give resource and topic, or body, or raw')
const RateLimitsBody = z.array(
  z.strictObject({
    method: z.string().optional(),
    path: pattern,
    limit: z.number().int().min(0),
    windowMs: z.number().int().min(1).default(60_000),
    shape: z.enum(['too-many-requests', 'over-quota', 'local-rate-limited']).default('too-many-requests'),
    retryAfter: z.string().optional(),
  }),
)
const PartialsBody = z.array(
  z.strictObject({
    path: pattern.default('^/orders/'),
    missing: z.array(z.string()).min(1),
    as: z.enum(['null', 'absent']).default('null'),
    times: z.number().int().min(1).default(1_000_000_000),
  }),
)
const ItemBody = z.strictObject({
  user_id: z.number().int(),
  sku: z.string().min(1).max(200),
  title: z.string().max(500).optional(),
  price: z.number().min(0).default(9_990),
  available_quantity: z.number().int().min(0).optional(),
  logistic_type: z.string().optional(),
  locations: z
    .array(
      z.strictObject({
        type: z.string().default('seller_warehouse'),
        network_node_id: z.string().optional(),
        store_id: z.string().optional(),
        quantity: z.number().int().min(0),
      }),
    )
    .min(1)
    .optional(),
})
const SkusBody = z.strictObject({ skus: z.array(z.string().min(1)).min(1) })
const RefusalBody = z.strictObject({
  references: z.array(z.string().min(1)).min(1),
  status: z.number().int().min(400).max(499).default(400),
  message: z.string().default('The order was refused'),
})

function stateOf(sim: Sim): Record<string, unknown> {
  const { world } = sim
  const outcomes = { pending: 0, delivered: 0, lost: 0, dropped: 0 }
  for (const one of world.notifications.values()) outcomes[one.outcome] += 1
  return {
    profile: sim.profile,
    settings: sim.settings,
    app: { client_id: sim.app.clientId, redirect_uri: sim.app.redirectUri },
    callback: world.callback && { url: world.callback.url, signed: world.callback.secret !== null, topics: world.callback.topics },
    tokenRequests: world.tokenRequests,
    accounts: accountList(sim),
    counts: { orders: world.orders.size, packs: world.packs.size, shipments: world.shipments.size, items: world.items.size },
    notifications: outcomes,
    rateLimits: sim.limits.list(),
    unknownSkus: [...world.unknownSkus],
    refusedReferences: [...world.refusedReferences.keys()],
  }
}

function setSettings(sim: Sim, call: Call): Answer {
  Object.assign(sim.settings, readBody(call, Settings.partial()))
  return { status: 200, body: sim.settings }
}

function setProfile(sim: Sim, call: Call): Answer {
  Object.assign(sim.profile, readBody(call, LedgerProfile.partial()))
  return { status: 200, body: sim.profile }
}

function setCallback(sim: Sim, call: Call): Answer {
  const { url, secret, topics } = readBody(call, CallbackBody)
  sim.notifier.setCallback(url === null ? null : { url, secret, topics })
  return { status: 200, body: { url, signed: secret !== null, topics } }
}

/** What was notified, or only of one `resource`. */
function listNotifications(sim: Sim, { query }: Call): Answer {
  const resource = query.get('resource')
  const found = [...sim.world.notifications.values()].filter((one) => resource === null || one.resource === resource)
  const notifications = found.map(({ id, topic, resource: of, user_id, outcome, attempts }) => ({
    id,
    topic,
    resource: of,
    user_id,
    outcome,
    attempts,
  }))
  return { status: 200, body: { total: found.length, notifications } }
}

/** A notification made by hand: an unknown topic, a resource of another seller, garbage. */
function notify(sim: Sim, call: Call): Answer {
  const from = readBody(call, NotificationBody)
  const raw = from.raw ?? (from.body === undefined ? undefined : JSON.stringify(from.body))
  const sent = sim.notifier.notify({
    topic: from.topic,
    resource: from.resource,
    userId: from.user_id,
    ...(from.actions === undefined ? {} : { actions: from.actions }),
    ...(raw === undefined ? {} : { raw }),
  })
  if (!sent)
    throw refusal(
      409,
      'not_subscribed',
      'not sent: no callback URL, a topic that it leaves out, or a seller who has not authorized the app',
    )
  return { status: 202, body: { id: sent.id } }
}

function setRateLimits(sim: Sim, call: Call): Answer {
  sim.limits.replace(readBody(call, RateLimitsBody))
  return { status: 200, body: { limits: sim.limits.list() } }
}

function setPartials(sim: Sim, call: Call): Answer {
  const rules = readBody(call, PartialsBody)
  sim.partials = rules.map(({ path, missing, as, times }) => ({ path: new RegExp(path), missing, as, left: times }))
  return { status: 200, body: { partials: rules } }
}

/** Lists a SKU (201) or sets its stock anew (200). */
function putItem(sim: Sim, call: Call): Answer {
  const { user_id, sku, title, price, available_quantity, logistic_type, locations } = readBody(call, ItemBody)
  const seller = accountOf(sim, user_id)
  const known = sim.world.itemsBySku.get(skuKey(user_id, sku))
  if (!known) {
    const from = { sku, title, price, currency: 'CLP', quantity: available_quantity, locations, logisticType: logistic_type }
    return { status: 201, body: itemView(addItem(sim, seller, from, 'admin')) }
  }
  const next =
    locations ?? known.locations.map((one, index) => ({ ...one, quantity: index === 0 ? (available_quantity ?? one.quantity) : 0 }))
  return { status: 200, body: itemView(setStock(sim, known, next, { by: 'admin', requestId: call.requestId })) }
}

function addUnknownSkus(sim: Sim, call: Call): Answer {
  for (const sku of readBody(call, SkusBody).skus) sim.world.unknownSkus.add(sku)
  return saveUnknownSkus(sim)
}

/** Without a body every SKU is known again. */
function removeUnknownSkus(sim: Sim, call: Call): Answer {
  if (call.body.length === 0) sim.world.unknownSkus.clear()
  else for (const sku of readBody(call, SkusBody).skus) sim.world.unknownSkus.delete(sku)
  return saveUnknownSkus(sim)
}

function saveUnknownSkus(sim: Sim): Answer {
  const skus = [...sim.world.unknownSkus]
  saveState(sim, 'unknown-skus', skus)
  return { status: 200, body: { skus } }
}

function refuseReferences(sim: Sim, call: Call): Answer {
  const { references, status, message } = readBody(call, RefusalBody)
  for (const reference of references) sim.world.refusedReferences.set(reference, { status, message })
  return saveRefusals(sim)
}

function allowReferences(sim: Sim, call: Call): Answer {
  if (call.body.length === 0) sim.world.refusedReferences.clear()
  else
    for (const reference of readBody(call, RefusalBody.pick({ references: true })).references) sim.world.refusedReferences.delete(reference)
  return saveRefusals(sim)
}

function saveRefusals(sim: Sim): Answer {
  saveState(sim, 'refused-references', [...sim.world.refusedReferences])
  return { status: 200, body: { references: [...sim.world.refusedReferences.keys()] } }
}

function isPattern(text: string): boolean {
  try {
    new RegExp(text)
    return true
  } catch {
    return false
  }
}
