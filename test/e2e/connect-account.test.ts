import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { openAccounts } from '../../src/accounts.ts'
import { runService } from '../../src/apps/up.ts'
import { onHub } from '../../src/cli/on-hub.ts'
import { beginConnection } from '../../src/flows/connect-account.ts'
import { type RunningHub, startHub, until } from '../support/running-hub.ts'

let running: RunningHub
let accounts: ReturnType<typeof openAccounts>

beforeAll(async () => {
  running = await startHub()
  // As the command does: another process's pools, sharing nothing with the hub but the database.
  accounts = openAccounts(running.hub.config, running.database.url)
})

afterAll(async () => {
  await accounts?.close()
  await running?.stop()
})

const begin = (accountId: string | null = null) => beginConnection({ principal: 'cli:ana', accountId }, accounts)

/** Follows the authorization page as the seller's browser does, and answers where it sends that browser. */
async function atMercadoLibre(address: string, more: Record<string, string>): Promise<string> {
  const url = new URL(address)
  for (const [name, value] of Object.entries(more)) url.searchParams.set(name, value)
  const reply = await fetch(url, { redirect: 'manual' })
  expect(reply.status).toBe(302)
  const back = new URL(reply.headers.get('location') ?? '')
  expect(back.origin + back.pathname).toBe(running.hub.config.mercadolibre.redirectUri)
  return running.webhooks + back.pathname + back.search
}

interface Page {
  status: number
  text: string
  headers: Headers
}

// Seller, marketplace and all are one source here, so its bucket may be empty: what is asked to wait comes again.
async function open(address: string, headers: Record<string, string> = {}): Promise<Page> {
  const reply = await until(async () => {
    const answer = await fetch(address, { headers })
    return answer.status === 429 ? undefined : answer
  })
  return { status: reply.status, text: await reply.text(), headers: reply.headers }
}

const pauseOf = async (channel: string): Promise<unknown> =>
  (await running.owner.query<{ pause_cause: string | null }>('SELECT pause_cause FROM channel WHERE id = $1', [channel])).rows[0]
    ?.pause_cause

describe('an account is connected at the authorization page of MercadoLibre', () => {
  test('a refused account is connected again: its channel is unpaused and the hub delivers with the new token', async () => {
    await running.meli('POST', '/admin/revoke', { user_id: 1001 })
    await running.odoo('POST', '/admin/orders', {
      client_order_ref: 'ML-AGAIN-1',
      team: 'MercadoLibre',
      lines: [{ sku: 'SKU-001', quantity: 1, price: 10_000 }],
      state: 'sale',
    })
    await until(async () => (await pauseOf('mercadolibre:1001')) === 'credentials-rejected')
    const begun = await begin('1001')
    const back = await atMercadoLibre(begun.address, { user_id: '1001' })
    const page = await open(back)
    expect([page.status, page.text]).toEqual([200, expect.stringContaining('mercadolibre:1001 is connected')])
    expect(await pauseOf('mercadolibre:1001')).toBeNull()
    expect(await accounts.authorizations.progress(begun.state)).toMatchObject({ kind: 'ended', outcome: { kind: 'connected' } })
    await until(
      async () =>
        (await running.owner.query(`SELECT FROM delivery WHERE channel = 'mercadolibre:1001' AND kind = 'order' AND state = 'delivered'`))
          .rowCount,
      40_000,
    )
  })

  test('the same answer a second time is a 400 that tells nothing, and changes nothing', async () => {
    const back = await atMercadoLibre((await begin()).address, { user_id: '1002' })
    expect((await open(back)).status).toBe(200)
    const before = await versionOf('mercadolibre:1002')
    const again = await open(back)
    expect(again.status).toBe(400)
    expect(again.text).toContain('This link is not valid')
    for (const secret of [new URL(back).searchParams.get('code'), new URL(back).searchParams.get('state')])
      expect(again.text).not.toContain(secret)
    expect(await versionOf('mercadolibre:1002')).toBe(before)
  })

  test('a state of nobody, one too late, and an answer without one are the same 400', async () => {
    const late = await begin()
    const back = await atMercadoLibre(late.address, { user_id: '1002' })
    await running.owner.query(`UPDATE oauth_authorization SET expires_at = hub_now() - interval '1 s' WHERE taken_at IS NULL`)
    const callback = `${running.webhooks}/oauth/mercadolibre/callback`
    const addresses = [
      back,
      `${callback}?code=TG-1&state=guess`,
      `${callback}?code=TG-1`,
      callback,
      `${callback}?state=a&state=b&code=x`,
      `${callback}?state=${'s'.repeat(5_000)}&code=x`,
    ]
    for (const address of addresses) {
      const page = await open(address)
      expect([address, page.status]).toEqual([address, 400])
      expect(page.text).toContain('This link is not valid')
    }
  })

  test('a stranger’s error with a guessed state is not shown', async () => {
    const page = await open(`${running.webhooks}/oauth/mercadolibre/callback?state=guess&error=call_this_number`)
    expect(page.status).toBe(400)
    expect(page.text).not.toContain('call_this_number')
  })

  test.each([
    ['access_denied', 'The access was not allowed'],
    ['invalid_operator_user_id', 'collaborator'],
    ['some_new_error', 'MercadoLibre answered some_new_error.'],
    ['<script>alert(1)</script>', 'MercadoLibre answered refused.'],
  ])('MercadoLibre’s %s is shown plainly, and who waits at the terminal is told', async (word, says) => {
    const begun = await begin()
    const page = await open(await atMercadoLibre(begun.address, { deny: word }))
    expect([page.status, page.text]).toEqual([400, expect.stringContaining(says)])
    expect(page.text).not.toContain('<script>')
    expect(await accounts.authorizations.progress(begun.state)).toMatchObject({
      kind: 'ended',
      outcome: { kind: 'refused', channel: null },
    })
  })

  test('a browser that asks for Spanish gets Spanish', async () => {
    const page = await open(await atMercadoLibre((await begin()).address, { deny: '' }), { 'accept-language': 'es-CL,es;q=0.9,en;q=0.5' })
    expect(page.text).toContain('<html lang="es">')
    expect(page.text).toContain('No se dio el permiso')
  })

  test('a code that MercadoLibre refuses is told by its word', async () => {
    const begun = await begin()
    const back = new URL(await atMercadoLibre(begun.address, { user_id: '1002' }))
    back.searchParams.set('code', 'TG-forged-1002')
    const page = await open(back.href)
    expect([page.status, page.text]).toEqual([400, expect.stringContaining('MercadoLibre answered invalid_grant')])
  })

  test('the code of one attempt is worth nothing with the state of another: each is bound to its verifier', async () => {
    const mine = new URL(await atMercadoLibre((await begin()).address, { user_id: '1002' }))
    const other = new URL(await atMercadoLibre((await begin()).address, { user_id: '1001' }))
    mine.searchParams.set('code', other.searchParams.get('code') ?? '')
    expect(await open(mine.href)).toMatchObject({ status: 400, text: expect.stringContaining('invalid_grant') })
  })

  test('another account than the one asked for is refused and not kept', async () => {
    await running.meli('POST', '/admin/accounts', { user_id: 7007 })
    const page = await open(await atMercadoLibre((await begin('1001')).address, { user_id: '7007' }))
    expect([page.status, page.text]).toEqual([400, expect.stringContaining('not the account that was asked for')])
    expect((await running.owner.query(`SELECT FROM channel WHERE id = 'mercadolibre:7007'`)).rowCount).toBe(0)
  })

  test('a look ahead at the link by HEAD spends nothing, and no answer may be cached or referred to', async () => {
    const back = await atMercadoLibre((await begin()).address, { user_id: '1002' })
    expect((await fetch(back, { method: 'HEAD' })).status).toBe(404)
    const page = await open(back)
    expect(page.status).toBe(200)
    expect(Object.fromEntries(page.headers)).toMatchObject({
      'cache-control': 'no-store',
      'referrer-policy': 'no-referrer',
      'content-type': 'text/html; charset=utf-8',
      'x-content-type-options': 'nosniff',
    })
  })

  test('every connection is in the audit log under the name of whoever started it', async () => {
    await open(await atMercadoLibre((await begin()).address, { user_id: '1002' }))
    await open(await atMercadoLibre((await begin()).address, { deny: '' }))
    const { rows } = await running.owner.query(
      `SELECT user_id, result_status, error_message FROM mcp_audit_log WHERE tool_name = 'rosh auth mercadolibre' ORDER BY timestamp DESC LIMIT 2`,
    )
    expect(rows).toEqual([
      { user_id: 'cli:ana', result_status: 'denied', error_message: 'access_denied' },
      { user_id: 'cli:ana', result_status: 'ok', error_message: null },
    ])
  })

  test('an account that no configuration names becomes a channel, and the running hub takes its orders without a restart', async () => {
    await running.halt()
    const stopping = new AbortController()
    const built: string[][] = []
    const parts = {
      config: running.hub.config,
      databaseUrl: running.database.url,
      log: running.hub.log,
      signal: stopping.signal,
      everyMs: 200,
    }
    const services = onHub(parts, async (hub, signal) => {
      built.push(hub.channels.map((c) => c.id))
      await Promise.all([runService('subscriber', hub, signal), runService('reconciler', hub, signal)])
    })
    try {
      await until(async () => built.length === 1)
      await running.meli('POST', '/admin/accounts', { user_id: 8008 })
      expect((await open(await atMercadoLibre((await begin()).address, { user_id: '8008' }))).status).toBe(200)
      await until(async () => built.length === 2)
      expect(built[0]).not.toContain('mercadolibre:8008')
      expect(built[1]).toContain('mercadolibre:8008')
      await running.meli('POST', '/admin/purchases', {
        seller: 8008,
        buyer: { nickname: 'COMPRADOR' },
        items: [{ sku: 'SKU-001', quantity: 1, unit_price: 5_000 }],
      })
      await until(
        async () =>
          (await running.owner.query(`SELECT FROM observation WHERE channel = 'mercadolibre:8008' AND entity = 'order'`)).rowCount,
        40_000,
      )
    } finally {
      stopping.abort()
      await services
    }
  })
})

async function versionOf(channel: string): Promise<unknown> {
  return (await running.owner.query<{ version: string }>('SELECT version FROM credential WHERE channel = $1', [channel])).rows[0]?.version
}
