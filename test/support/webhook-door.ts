import { createHmac, timingSafeEqual } from 'node:crypto'
import type { FastifyInstance, LightMyRequestResponse } from 'fastify'
import { buildReceiver, type ReceiverOptions } from '../../src/apps/webhook-receiver.ts'
import { secretPathWebhooks, signedWebhooks } from '../../src/drivers/mercadolibre/webhook.ts'
import { odooWebhookReader } from '../../src/drivers/odoo/webhook.ts'
import { postgresInbox } from '../../src/drivers/postgres/inbox.ts'
import { connect, type Pool } from '../../src/drivers/postgres/pool.ts'
import type { Inbox } from '../../src/ports/inbox.ts'
import type { WebhookReader } from '../../src/ports/marketplace.ts'
import { cloneDatabase } from './database.ts'

const KEY = 'a key of the tests, thirty-two characters'
export const SECRET = 'path-secret-of-the-tests-0123456789'
export const json = { 'content-type': 'application/json' }
export const hmac = (body: string | Uint8Array): string => createHmac('sha256', KEY).update(body).digest('hex')

export interface RequestRow {
  verdict: string
  path: string
  body: Buffer
  headers: Record<string, string>
  source_ip: string
}

/** A webhook receiver on a database of its own. */
export interface Door {
  /** Replaced by `open`. */
  app: FastifyInstance
  inbox: Inbox
  owner: Pool
  logged: string[]
  /** Empties the database and opens a receiver with these options in place of the one before. */
  open(over?: Partial<ReceiverOptions & { trustProxyHops: number }>): Promise<void>
  /** Posts to `/webhooks/paris`, signed. */
  paris(payload: string | Buffer, headers?: Record<string, string>): Promise<LightMyRequestResponse>
  stored(): Promise<RequestRow[]>
  close(): Promise<void>
}

export async function makeDoor(): Promise<Door> {
  const database = await cloneDatabase()
  const pool = connect({ url: database.url, role: 'rosh_ingest', max: 4, applicationName: 'receiver-test' })
  const owner = connect({ url: database.migratorUrl, role: null, max: 1, applicationName: 'receiver-test-owner' })
  const inbox = postgresInbox(pool, { maxTries: 12 })
  const logged: string[] = []
  const door: Door = {
    app: aReceiver(inbox, logged),
    inbox,
    owner,
    logged,
    open: async (over = {}) => {
      await door.app.close()
      await owner.query('TRUNCATE channel, inbound_request CASCADE')
      await owner.query(
        `INSERT INTO channel (id, marketplace, account_id) VALUES ('paris:main', 'paris', 'main'), ('mercadolibre:1001', 'mercadolibre', '1001'), ('odoo', 'odoo', 'odoo')`,
      )
      logged.length = 0
      door.app = aReceiver(inbox, logged, over)
    },
    paris: (payload, headers = {}) =>
      door.app.inject({
        method: 'POST',
        url: '/webhooks/paris',
        headers: { ...json, 'x-paris-signature': hmac(payload), ...headers },
        payload,
      }),
    stored: async () =>
      (await owner.query<RequestRow>('SELECT verdict, path, body, headers, source_ip FROM inbound_request ORDER BY id')).rows,
    close: async () => {
      await door.app.close()
      await Promise.all([pool.end(), owner.end()])
      await database.drop()
    },
  }
  return door
}

const accounts = [{ channel: 'mercadolibre:1001', userId: '1001', appId: '77' }]

function aReceiver(inbox: Inbox, logged: string[], over: Partial<ReceiverOptions & { trustProxyHops: number }> = {}): FastifyInstance {
  return buildReceiver({
    readers: {
      paris: signedReader,
      mercadolibreSigned: signedWebhooks({ accounts, secrets: [{ keyId: 'k1', value: KEY }] }),
      mercadolibre: secretPathWebhooks({ accounts, secrets: [{ keyId: 'k1', value: SECRET }] }),
      odoo: odooWebhookReader({ secrets: [{ keyId: 'k1', value: SECRET }] }),
    },
    inbox,
    checks: { ready: async () => [{ name: 'database', ok: true }], deep: async () => [{ name: 'database', ok: true }] },
    trustProxyHops: 0,
    log: { info: () => {}, warn: (_fields, text) => void logged.push(text), error: (_fields, text) => void logged.push(text) },
    ...over,
  })
}

/** A signed source that takes anything that shows an id: what gets past it is as hostile as its bytes. */
export const signedReader: WebhookReader = {
  answersUnreadableWith200: false,
  read: ({ headers, body }) => {
    const given = Buffer.from(headers['x-paris-signature'] ?? '', 'latin1')
    const due = Buffer.from(hmac(body))
    if (given.length !== due.length || !timingSafeEqual(given, due))
      return { kind: 'refused', verdict: 'bad-signature', reason: 'X-Paris-Signature does not match the body' }
    const id = /"id":"([^"]*)"/.exec(Buffer.from(body).toString('utf8'))?.[1]
    if (id === undefined) return { kind: 'refused', verdict: 'malformed', reason: '"id" is missing' }
    const text = Buffer.from(body).toString('hex')
    const event = {
      channel: 'paris:main',
      topic: 'order',
      resource: `/orders/${id}`,
      sourceEventId: id,
      dedupeKey: id,
      comparable: text,
      orderKey: id,
      ignore: null,
    }
    return { kind: 'events', events: [event] }
  },
}
