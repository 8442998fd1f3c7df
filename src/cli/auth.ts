import { randomBytes } from 'node:crypto'
import { assemble, type Hub } from '../assembly.ts'
import { SIMULATOR_KEY } from '../config.ts'
import { httpClient } from '../drivers/http.ts'
import { authorizeUrl, exchangeCode, newPkce, type OauthApp, type Pkce } from '../drivers/mercadolibre/oauth.ts'
import { attachDatabase, CliError, configOf, EXIT, type Register } from './context.ts'
import { logTo } from './log.ts'
import { ask } from './prompt.ts'

/** `rosh auth mercadolibre`: connects a seller's account, and reconnects one whose token was refused. */
export const registerAuth: Register = (program, context) => {
  const auth = program.command('auth').description('connect a marketplace account')
  auth
    .command('mercadolibre')
    .description('connect a MercadoLibre account by OAuth with PKCE')
    .option('--code <code or redirect address>', 'what the authorization page answered; asked for when not given')
    .option('--check', 'only print the connected accounts, as MercadoLibre names them')
    .action(async (options: { code?: string; check?: boolean }) => {
      const config = configOf(context, { demo: context.env.ROSH_CONFIG === undefined })
      const database = await attachDatabase(config)
      const hub = await assemble(config, database.url, logTo(config.variables.LOG_LEVEL))
      try {
        if (options.check) await check(hub, context.print)
        else await connectByHand(hub, options.code, context.print)
      } finally {
        await hub.close()
      }
    })
}

function appOf(hub: Hub): OauthApp {
  const { clientId, clientSecret, redirectUri, authBase } = hub.config.mercadolibre
  return { clientId, clientSecret: clientSecret.reveal(), redirectUri, authBase }
}

async function connectByHand(hub: Hub, given: string | undefined, print: (line: string) => void): Promise<void> {
  const pkce = newPkce()
  const state = randomBytes(16).toString('base64url')
  print(`Open this address as the account's main user and allow the access:\n\n  ${authorizeUrl(appOf(hub), state, pkce.challenge)}\n`)
  const answer = given ?? (await ask('Paste the code, or the whole address you were sent back to: '))
  const code = codeIn(answer, state)
  print(`connected ${await connectWith(hub, code, pkce)}`)
}

/** The code in what a person pasted: the code itself, or the redirect address with it. */
function codeIn(answer: string, state: string): string {
  const text = answer.trim()
  if (!/^https?:/.test(text)) return text
  const url = new URL(text)
  const code = url.searchParams.get('code')
  if (code === null)
    throw new CliError(
      'no-code',
      'the address holds no `code`; paste the one you were sent back to after allowing the access',
      EXIT.badInput,
    )
  if (url.searchParams.get('state') !== state)
    throw new CliError('wrong-state', 'the address belongs to another attempt; start `rosh auth mercadolibre` again', EXIT.badInput)
  return code
}

async function connectWith(hub: Hub, code: string, pkce: Pkce): Promise<string> {
  const http = httpClient({ origin: hub.config.mercadolibre.apiBase, timeoutMs: 15_000 })
  try {
    const granted = await exchangeCode({ http, app: appOf(hub) }, { code, verifier: pkce.verifier })
    const channel = `mercadolibre:${granted.userId}`
    if (!hub.channels.some((c) => c.id === channel)) {
      throw new CliError(
        'unknown-account',
        `the account ${granted.userId} is not configured; add it to mercadolibre.accounts in hub.yaml and connect it again`,
        EXIT.badInput,
      )
    }
    await hub.credentials.connect(channel, {
      accessToken: granted.accessToken,
      refreshToken: granted.refreshToken,
      expiresAt: granted.expiresAt,
    })
    return channel
  } finally {
    await http.close()
  }
}

async function check(hub: Hub, print: (line: string) => void): Promise<void> {
  for (const channel of hub.channels.filter((c) => c.marketplace === 'mercadolibre')) {
    const pair = await hub.credentials.read(channel.id)
    if (!pair) {
      print(`${channel.id}: not connected`)
      continue
    }
    const http = httpClient({ origin: hub.config.mercadolibre.apiBase, timeoutMs: 15_000 })
    try {
      const reply = await http.exchange({ method: 'GET', path: '/users/me', headers: { authorization: `Bearer ${pair.accessToken}` } })
      print(`${channel.id}: ${reply.status === 200 ? reply.text : `MercadoLibre answers ${reply.status}`}`)
    } finally {
      await http.close()
    }
  }
}

/** Connects the simulator's accounts as a seller would, once; a later start finds them connected. */
export async function connectSimulatedAccounts(hub: Hub, progress: (line: string) => void): Promise<void> {
  const http = httpClient({ origin: hub.config.mercadolibre.apiBase, timeoutMs: 5_000 })
  try {
    for (const channel of hub.channels.filter((c) => c.marketplace === 'mercadolibre')) {
      if (await hub.credentials.read(channel.id)) continue
      const userId = channel.id.slice('mercadolibre:'.length)
      const headers = { 'x-admin-key': SIMULATOR_KEY }
      await http.exchange({ method: 'POST', path: '/admin/accounts', headers, body: JSON.stringify({ user_id: Number(userId) }) })
      const pkce = newPkce()
      const reply = await http.exchange({
        method: 'POST',
        path: `/admin/accounts/${userId}/grant`,
        headers,
        body: JSON.stringify({
          as: 'code',
          redirect_uri: appOf(hub).redirectUri,
          code_challenge: pkce.challenge,
          code_challenge_method: 'S256',
        }),
      })
      const code = /"code"\s*:\s*"([^"]+)"/.exec(reply.text)?.[1]
      if (code === undefined) throw new CliError('no-grant', `meli-sim granted no access to ${userId}: it answered ${reply.status}`)
      await connectWith(hub, code, pkce)
      progress(`connected  ${channel.id}`)
    }
  } finally {
    await http.close()
  }
}
