import type {
  AttemptFact,
  BindingFact,
  ChannelFact,
  DeliveryFact,
  InboundFact,
  OrderFacts,
  SilverFact,
} from '../../src/core/order-facts.ts'

export const ML = 'mercadolibre:1001'
const AT = '2026-11-23T12:00:00.000Z'

/** An instant so many seconds after (or, negative, before) the reading of the facts. */
export const inSeconds = (seconds: number): string => new Date(Date.parse(AT) + seconds * 1000).toISOString()

export const aSilver = (change: Partial<SilverFact> = {}): SilverFact => ({
  id: '1',
  origin: 'odoo',
  orderKey: '42',
  displayStatus: 'CONFIRMED',
  payment: 'paid',
  fulfilment: 'none',
  lifecycle: 'open',
  flags: [],
  currency: 'CLP',
  totalMinor: 1000,
  confirmed: true,
  route: { rule: 'default', channels: [ML], skipped: [] },
  illegal: [],
  rawStatus: 'sale',
  tracking: null,
  lines: [],
  version: 2,
  createdAt: inSeconds(-3600),
  updatedAt: inSeconds(-3600),
  identifiers: [],
  ...change,
})

export const aBinding = (change: Partial<BindingFact> = {}): BindingFact => ({
  id: '10',
  channel: ML,
  reference: 'odoo-42',
  generation: 1,
  externalId: null,
  observedLifecycle: null,
  observedFulfilment: null,
  observedAt: null,
  missingSince: null,
  duplicates: [],
  ...change,
})

export const aDelivery = (change: Partial<DeliveryFact> = {}): DeliveryFact => ({
  id: '17',
  bindingId: '10',
  channel: ML,
  version: 1,
  generation: 1,
  state: 'pending',
  cause: 'queued',
  summary: null,
  reason: null,
  tries: 0,
  maxTries: 12,
  dueAt: inSeconds(-5),
  leaseUntil: null,
  createdAt: inSeconds(-3600),
  endedAt: null,
  resolvedBy: null,
  archivedAt: null,
  replays: 0,
  stateVersion: 1,
  lifecycle: 'open',
  confirm: true,
  ahead: 3,
  attemptsTotal: 0,
  ...change,
})

export const anEvent = (change: Partial<InboundFact> = {}): InboundFact => ({
  id: '9',
  eventId: '019ab000-0000-7000-8000-000000000009',
  channel: ML,
  topic: 'orders_v2',
  resource: '/orders/2000001',
  state: 'pending',
  reason: null,
  cause: null,
  summary: null,
  conflict: false,
  tries: 0,
  maxTries: 12,
  dueAt: inSeconds(-5),
  receivedAt: inSeconds(-10),
  endedAt: null,
  resolvedBy: null,
  archivedAt: null,
  requestId: '90',
  stateVersion: 1,
  attemptsTotal: 0,
  ...change,
})

export const anAttempt = (change: Partial<AttemptFact> = {}): AttemptFact => ({
  id: '100',
  deliveryId: '17',
  inboundId: null,
  channel: ML,
  purpose: 'send',
  operation: 'create',
  startedAt: inSeconds(-60),
  endedAt: inSeconds(-59),
  outcome: 'rejected',
  errorCode: 'rejected',
  httpStatus: 400,
  summary: null,
  theirText: null,
  ...change,
})

export const aChannelFact = (id: string, change: Partial<ChannelFact> = {}): ChannelFact => ({
  id,
  marketplace: id.split(':')[0] ?? id,
  enabled: true,
  pausedAt: null,
  pauseCause: null,
  circuitOpenedAt: null,
  probeAt: null,
  limitedUntil: null,
  recentlyDelivered: 60,
  ...change,
})

/** A healthy hub that holds one confirmed ERP order, owed to one marketplace. */
export const facts = (change: Partial<OrderFacts> = {}): OrderFacts => ({
  at: AT,
  typed: 'ODOO-42',
  order: aSilver(),
  focus: null,
  bindings: [aBinding()],
  deliveries: [],
  attempts: [],
  inbound: [],
  observations: [],
  changes: [],
  refusals: [],
  quarantine: [],
  drifts: [],
  actions: [],
  channels: [aChannelFact('odoo'), aChannelFact(ML)],
  workers: [
    { app: 'worker', beatAt: inSeconds(-2) },
    { app: 'subscriber', beatAt: inSeconds(-2) },
  ],
  cursors: [
    {
      name: 'erp-orders',
      watermark: inSeconds(-30),
      movedAt: inSeconds(-20),
      triedAt: inSeconds(-20),
      failedSince: null,
      failureCode: null,
    },
  ],
  erp: null,
  nearest: [],
  ...change,
})

/** The same hub, where nobody holds the order. */
export const unheld = (change: Partial<OrderFacts> = {}): OrderFacts =>
  facts({ order: null, bindings: [], erp: { kind: 'nothing' }, ...change })
