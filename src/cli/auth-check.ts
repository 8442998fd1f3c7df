import type { Accounts } from '../accounts.ts'
import { channelsOf } from '../channel-settings.ts'
import type { Config } from '../config.ts'
import { IntegrationError } from '../core/integration-error.ts'
import { readAccount } from '../drivers/mercadolibre/account.ts'
import { mercadolibreClient } from '../drivers/mercadolibre/client.ts'
import { systemClock } from '../drivers/system-clock.ts'
import { type CliContext, conclude } from './context.ts'

interface Checked {
  channel: string
  ok: boolean
  nickname: string | null
  site: string | null
  says: string
}

/** `rosh auth mercadolibre --check`: each account as `/users/me` names it. */
export async function checkAccounts(parts: { config: Config; accounts: Accounts }, context: CliContext, json: boolean): Promise<void> {
  const channels = channelsOf(await parts.accounts.withAdded(parts.config)).filter((c) => c.marketplace === 'mercadolibre')
  const checked = await Promise.all(channels.map(({ id }) => check(parts.accounts, id)))
  const none = 'no account is configured or connected; run `rosh auth mercadolibre`'
  const toFix = checked.filter((c) => !c.ok).map((c) => c.channel)
  const message = checked.length === 0 ? none : `to connect again: ${toFix.join(', ')}`
  conclude(context, json, {
    data: { accounts: checked },
    say: () => {
      if (checked.length === 0) context.print(none)
      for (const { channel, ok, says } of checked) context.print(`${ok ? 'ok ' : 'FIX'}  ${channel.padEnd(24)} ${says}`)
    },
    failure: checked.length === 0 || toFix.length > 0 ? { code: 'not-connected', message } : undefined,
  })
}

const TIMEOUT_MS = 15_000

async function check(accounts: Accounts, channel: string): Promise<Checked> {
  const tokens = accounts.tokensOf(channel)
  try {
    const client = mercadolibreClient({ http: accounts.http, tokens, clock: systemClock, timeoutMs: TIMEOUT_MS })
    const { id, nickname, site } = await readAccount(client)
    const ok = channel === `mercadolibre:${id}`
    const says = ok ? `${nickname} (user ${id}, site ${site})` : `its token belongs to user ${id}; connect it again`
    return { channel, ok, nickname, site, says }
  } catch (error) {
    if (!(error instanceof IntegrationError)) throw error
    return { channel, ok: false, nickname: null, site: null, says: `${error.message}; run \`rosh auth mercadolibre\`` }
  }
}
