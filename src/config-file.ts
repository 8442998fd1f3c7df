import { z } from 'zod'
import { Fulfilment, Lifecycle, Payment } from './core/order.ts'

const id = z.string().regex(/^[a-z]+:[A-Za-z0-9_-]{1,40}$/, 'a channel id such as `mercadolibre:1001` or `paris:main`')
const instant = z.iso.datetime({ offset: true })
const ms = z.number().int().min(0).max(3_600_000)

const Timing = z
  .strictObject({ timeoutMs: ms.min(50), marginMs: ms.min(50), settleMs: ms, leaseMs: ms.min(200) })
  .partial()
  .describe('Milliseconds: hard limit of a request, longest wait between intent and first byte, settle window, lease')

const status = z.string().min(1).max(120)
const payment = oneOf('payment', Payment.options)
const fulfilment = oneOf('fulfilment', Fulfilment.options)
const lifecycle = oneOf('lifecycle', Lifecycle.options)

const StatusMapSettings = z
  .strictObject({
    order: z
      .record(status, z.strictObject({ payment, fulfilment, lifecycle }).partial())
      .describe(
        'By a status of its orders: `payment` and `lifecycle` at MercadoLibre, `fulfilment` and `lifecycle` at Paris. What is left out, the status does not say',
      ),
    shipment: z
      .record(status, fulfilment.nullable())
      .describe(
        'MercadoLibre: the fulfilment by `status`, `status/substatus` or `status/prefix*` of a shipment; null says nothing of fulfilment',
      ),
    pack: z.record(status, lifecycle).describe('MercadoLibre: the lifecycle by the status of a pack'),
  })
  .partial()
  .describe(
    'What statuses of this marketplace mean, added to the map that the hub brings, or in place of its entries. Orders that showed one before: `rosh retry`',
  )

function oneOf<const Words extends readonly string[]>(axis: string, words: Words) {
  return z.enum(words, { error: ({ input }) => `${JSON.stringify(input)} is no ${axis}; it takes ${words.join(', ')}` })
}

const ChannelSettings = z.strictObject({
  enabled: z.boolean().default(true).describe('Whether anything is sent to or read from it'),
  idempotentCreate: z.boolean().optional().describe('A repeated create with one reference answers the first order'),
  shipsFrom: z
    .enum(['marketplace', 'odoo'])
    .default('marketplace')
    .describe('Which system ships its orders and says how fulfilment stands; where Odoo ships, a marketplace that takes such word is told'),
  requestsPerSecond: z.number().positive().max(10_000).default(200).describe('Rate of the account’s bucket'),
  concurrency: z.number().int().min(1).max(200).default(16).describe('Deliveries in flight at once, and fetches'),
  since: instant
    .optional()
    .describe(
      'Orders created at this marketplace before are not fetched by sweeps; a webhook about one still is. Not set: on a real marketplace 24 hours before the channel’s first start, kept from then on; on a simulator everything. An earlier instant that is set later brings nothing back: sweeps go on from where they are',
    ),
  skuMap: z
    .record(z.string().min(1).max(200), z.string().min(1).max(200))
    .optional()
    .describe(
      'SKUs of this account and, for each, the one of Odoo; used both ways, for orders and stock. What is not in it has one name in both',
    ),
  statusMap: StatusMapSettings.optional(),
  warehouse: z
    .strictObject({ storeId: z.string().min(1).max(80), networkNodeId: z.string().min(1).max(80) })
    .optional()
    .describe('MercadoLibre: of a seller’s several warehouses, the one whose stock the hub writes'),
  warehouseId: z
    .number()
    .int()
    .positive()
    .optional()
    .describe('Odoo: the stock of this warehouse alone is sent out; without it that of all'),
  timing: Timing.optional(),
})

const Rule = z.strictObject({
  name: z.string().min(1).max(80).describe('Named in every route decision it makes'),
  when: z
    .strictObject({
      team: z.string().optional().describe('Name of the sales team'),
      tag: z.string().optional().describe('Name of one of the order’s tags'),
      pricelist: z.string().optional().describe('Name of the pricelist'),
      company: z.string().optional().describe('Name of the company'),
      field: z.strictObject({ name: z.string(), value: z.string() }).optional().describe('A field of `sale.order` and its value, as text'),
    })
    .describe('What the order must have; all that is given must hold'),
  to: z.array(z.string()).describe('Marketplaces or channel ids; empty sends the order nowhere'),
})

/** Variables that hold a secret of a webhook source, the second of each while the first is replaced. */
export const WEBHOOK_KEYS = [
  'PARIS_API_SECRET',
  'PARIS_API_SECRET_NEXT',
  'ML_WEBHOOK_SECRET',
  'ML_WEBHOOK_SECRET_NEXT',
  'ML_WEBHOOK_PATH_SECRET',
  'ML_WEBHOOK_PATH_SECRET_NEXT',
  'ODOO_WEBHOOK_PATH_SECRET',
  'ODOO_WEBHOOK_PATH_SECRET_NEXT',
] as const

const addressOrBlock = z
  .string()
  .refine((text) => [z.ipv4(), z.ipv6(), z.cidrv4(), z.cidrv6()].some((kind) => kind.safeParse(text).success), 'an address or a CIDR block')

const WebhookSettings = z
  .strictObject({
    toleranceSeconds: z
      .number()
      .int()
      .min(1)
      .max(3_600)
      .default(300)
      .describe('How far a signed timestamp may lie from our clock, either way'),
    allowedSources: z
      .array(addressOrBlock)
      .min(1)
      .optional()
      .describe('Addresses and CIDR blocks that may send webhooks; without it any may'),
    trustedProxyHops: z
      .number()
      .int()
      .min(0)
      .max(5)
      .default(0)
      .describe('How many proxies stand in front; as many entries of `X-Forwarded-For` are believed, from its end'),
    keys: z
      .partialRecord(
        z.enum(WEBHOOK_KEYS),
        z.strictObject({
          id: z
            .string()
            .regex(/^[a-z0-9-]{1,40}$/)
            .optional()
            .describe('Name of the key in logs and `rosh doctor`; `current` or `next` when not given'),
          notBefore: instant.optional().describe('Refused before this instant'),
          notAfter: instant.optional().describe('Refused after this instant'),
        }),
      )
      .default({})
      .describe('When each key is in force, by the variable that holds it'),
  })
  .prefault({})

const days = z.number().int().min(1).max(36_500).nullable()
/** An order that is not paid or held yet still needs its buyer. */
const FEWEST_DAYS_OF_A_BUYER = 30

const RetentionSettings = z
  .strictObject({
    personal: z
      .number()
      .int()
      .min(FEWEST_DAYS_OF_A_BUYER)
      .max(36_500)
      .nullable()
      .default(730)
      .describe('Days since an order last changed until the key of its buyer’s fields is deleted'),
    raw: days.default(90).describe('Days until the bytes of a webhook go; its digest and what was read from it stay'),
    'other-text': days.default(90).describe('Days until another system’s words about a request go; its code and our summary stay'),
    unchanged: days.default(30).describe('Days until looks of the hub that found an order unchanged go, with their attempts'),
  })
  .prefault({})

/** The YAML file: what is not a secret. */
export const HubFile = z.strictObject({
  channels: z
    .record(z.union([id, z.literal('odoo')]), ChannelSettings)
    .default({})
    .describe('Settings per channel, by its id'),
  mercadolibre: z
    .strictObject({
      accounts: z
        .array(z.string().regex(/^\d{1,20}$/, 'a MercadoLibre user id'))
        .default([])
        .describe('User ids of the sellers'),
    })
    .default({ accounts: [] })
    .describe('The seller accounts; each is connected with `rosh auth mercadolibre`'),
  routing: z.array(Rule).default([]).describe('First matching rule decides; the default sends to every marketplace that can create orders'),
  taxMode: z
    .discriminatedUnion('kind', [
      z.strictObject({ kind: z.literal('price-included-tax'), taxId: z.number().int().positive() }),
      z.strictObject({ kind: z.literal('none') }),
    ])
    .default({ kind: 'none' })
    .describe('How gross marketplace prices become Odoo lines'),
  partners: z
    .record(z.string(), z.string())
    .default({ mercadolibre: 'Cliente MercadoLibre', paris: 'Cliente Paris' })
    .describe('Generic Odoo customer per marketplace'),
  webhooks: WebhookSettings.describe('Who may send webhooks, and by which keys'),
  collectSince: instant
    .optional()
    .describe(
      'Orders that did not change in Odoo since then are not read. Not set: on a real Odoo 24 hours before the hub’s first start, kept from then on; on the simulator everything',
    ),
  collectOverlapSeconds: z.number().int().min(1).max(86_400).default(600).describe('Must exceed Odoo’s longest transaction'),
  backoffScale: z.number().positive().max(1).default(1).describe('Shortens the whole retry schedule; 1 in production'),
  compareAfterSeconds: z
    .number()
    .int()
    .min(1)
    .max(604_800)
    .default(3_600)
    .describe('How long a delivered order rests before it is compared again'),
  retentionDays: RetentionSettings.describe(
    'How long each class of data stands; null keeps it for ever. Nothing goes by itself: `rosh retention --yes`, once a day from a timer',
  ),
})
export type HubFile = z.infer<typeof HubFile>
