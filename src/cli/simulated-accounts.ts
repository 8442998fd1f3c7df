import type { Hub } from '../assembly.ts'
import { SIMULATOR_KEY } from '../config.ts'
import { newPkce } from '../drivers/mercadolibre/oauth.ts'
import { CliError } from './context.ts'

/** Connects the simulator's accounts as a seller would, once; a later start finds them connected. */
export async function connectSimulatedAccounts(
  hub: Pick<Hub, 'config' | 'channels' | 'accounts'>,
  progress: (line: string) => void,
): Promise<void> {
  for (const channel of hub.channels.filter((c) => c.marketplace === 'mercadolibre')) {
    if (await hub.accounts.credentials.read(channel.id)) continue
    await connectSimulatedAccount(hub, channel.id)
    progress(`connected  ${channel.id}`)
  }
}

/** Connects one account of the simulator, also one whose grant ended. */
export async function connectSimulatedAccount({ accounts, config }: Pick<Hub, 'config' | 'accounts'>, channel: string): Promise<void> {
  const { http, server, credentials } = accounts
  const headers = { 'x-admin-key': SIMULATOR_KEY }
  const userId = channel.slice('mercadolibre:'.length)
  await http.exchange({ method: 'POST', path: '/admin/accounts', headers, body: JSON.stringify({ user_id: Number(userId) }) })
  const { verifier, challenge } = newPkce()
  const asked = {
    as: 'code',
    redirect_uri: config.mercadolibre.redirectUri,
    code_challenge: challenge,
    code_challenge_method: 'S256',
  }
  const reply = await http.exchange({ method: 'POST', path: `/admin/accounts/${userId}/grant`, headers, body: JSON.stringify(asked) })
  const code = /"code"\s*:\s*"([^"]+)"/.exec(reply.text)?.[1]
  if (code === undefined) throw new CliError('no-grant', `meli-sim granted no access to ${userId}: it answered ${reply.status}`)
  const granted = await server.exchange({ code, verifier })
  await credentials.connect(granted.channel, granted.pair)
}
