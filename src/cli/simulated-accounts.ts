import type { Hub } from '../assembly.ts'
import { SIMULATOR_KEY } from '../config.ts'
import { newPkce } from '../drivers/mercadolibre/oauth.ts'
import { CliError } from './context.ts'

/** Connects the simulator's accounts as a seller would, once; a later start finds them connected. */
export async function connectSimulatedAccounts(
  hub: Pick<Hub, 'config' | 'channels' | 'accounts'>,
  progress: (line: string) => void,
): Promise<void> {
  const { http, server, credentials } = hub.accounts
  const headers = { 'x-admin-key': SIMULATOR_KEY }
  for (const channel of hub.channels.filter((c) => c.marketplace === 'mercadolibre')) {
    if (await credentials.read(channel.id)) continue
    const userId = channel.id.slice('mercadolibre:'.length)
    await http.exchange({ method: 'POST', path: '/admin/accounts', headers, body: JSON.stringify({ user_id: Number(userId) }) })
    const { verifier, challenge } = newPkce()
    const asked = {
      as: 'code',
      redirect_uri: hub.config.mercadolibre.redirectUri,
      code_challenge: challenge,
      code_challenge_method: 'S256',
    }
    const reply = await http.exchange({ method: 'POST', path: `/admin/accounts/${userId}/grant`, headers, body: JSON.stringify(asked) })
    const code = /"code"\s*:\s*"([^"]+)"/.exec(reply.text)?.[1]
    if (code === undefined) throw new CliError('no-grant', `meli-sim granted no access to ${userId}: it answered ${reply.status}`)
    const granted = await server.exchange({ code, verifier })
    await credentials.connect(granted.channel, granted.pair)
    progress(`connected  ${channel.id}`)
  }
}
