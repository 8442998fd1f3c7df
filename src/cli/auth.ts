import { setTimeout as wait } from 'node:timers/promises'
import { type Accounts, openAccounts } from '../accounts.ts'
import type { Config } from '../config.ts'
import { type Connected, connectionWords } from '../core/connection.ts'
import { type AuthorizationAnswer, beginConnection, type Begun, connectAccount } from '../flows/connect-account.ts'
import { checkAccounts } from './auth-check.ts'
import { runningConfig } from './configuration.ts'
import { type CliContext, CliError, conclude, type Register } from './context.ts'
import { attachDatabase } from './database.ts'
import { ask } from './prompt.ts'
import { operatorAtTerminal } from './with-desk.ts'

interface AuthOptions {
  code?: string
  account?: string
  check?: boolean
  json?: boolean
}

/** `rosh auth mercadolibre`: connects a seller's account, and reconnects one whose token was refused. */
export const registerAuth: Register = (program, context) => {
  const auth = program.command('auth').description('connect a marketplace account')
  auth
    .command('mercadolibre')
    .description('connect a MercadoLibre account (OAuth with PKCE), or reconnect one that was refused')
    .option('--account <user id>', 'the only account that may answer; without it any is taken, a new one becomes a channel')
    .option('--code <code or address>', 'what MercadoLibre sent you back with, of a connection that was started before')
    .option('--check', 'only say which accounts are connected, as MercadoLibre names them; 1 when one is not')
    .option('--json', 'print JSON objects, one a line')
    .action(async (options: AuthOptions) => {
      if (options.account !== undefined && !/^\d{1,20}$/.test(options.account))
        throw new CliError('bad-input', `--account: "${options.account}" is no MercadoLibre user id; it has digits only`)
      const config = runningConfig(context)
      const { url } = await attachDatabase(config)
      const accounts = openAccounts(config, url)
      try {
        if (options.check) await checkAccounts({ config, accounts }, context, options.json ?? false)
        else await connectAtTerminal({ config, accounts }, options, context)
      } finally {
        await accounts.close()
      }
    })
}

function sentenceOf(connected: Connected): string {
  const { title, text } = connectionWords(connected, 'en')
  return connected.kind === 'connected' ? text : `${title}: ${text}`
}

interface Parts {
  config: Config
  accounts: Accounts
}

async function connectAtTerminal(parts: Parts, options: AuthOptions, context: CliContext): Promise<void> {
  const connected =
    options.code === undefined ? await startAndWait(parts, options, context) : await connect(parts, answerIn(options.code, null))
  const message = sentenceOf(connected)
  const code = connected.kind === 'invalid-state' ? 'bad-input' : 'not-connected'
  const failure = connected.kind === 'connected' ? undefined : ({ code, message } as const)
  conclude(context, options.json, { data: { ...connected }, say: () => context.print(message), failure })
}

function connect({ accounts }: Parts, answer: AuthorizationAnswer): Promise<Connected> {
  return connectAccount(answer, accounts)
}

/** Whichever comes first: the hub hears the answer at its callback, or a person pastes it here. */
async function startAndWait(parts: Parts, options: AuthOptions, context: CliContext): Promise<Connected> {
  const { accounts, config } = parts
  const begun = await beginConnection({ principal: operatorAtTerminal().id, accountId: options.account ?? null }, accounts)
  if (options.json) context.print(JSON.stringify({ kind: 'started', address: begun.address, expiresAt: begun.expiresAt }))
  else printAddress(begun, config, context)
  const stop = new AbortController()
  const signal = AbortSignal.any([context.signal, stop.signal])
  try {
    const pasted = pastedAnswer(parts, begun, signal)
    return await Promise.race([heardByHub(accounts, begun, signal), pasted])
  } finally {
    stop.abort()
  }
}

function printAddress(begun: Begun, config: Config, { print }: CliContext): void {
  print(`Open this address, sign in as the account's main user and allow the access (until ${begun.expiresAt}):\n`)
  print(`  ${begun.address}\n`)
  print(`The running hub hears the answer at ${config.mercadolibre.redirectUri} and this command then ends.`)
  print('If your browser cannot reach that address, paste the one it was sent to.\n')
}

const POLL_MS = 500

async function heardByHub(accounts: Accounts, begun: Begun, signal: AbortSignal): Promise<Connected> {
  for (;;) {
    if (signal.aborted) throw new CliError('interrupted', 'stopped waiting; the address stays good until it expires')
    const progress = await accounts.authorizations.progress(begun.state)
    if (progress.kind === 'ended') return told(progress.outcome)
    if (progress.kind === 'expired')
      throw new CliError('expired', 'nobody answered within ten minutes; start `rosh auth mercadolibre` again')
    await wait(POLL_MS, undefined, { signal }).catch(() => {})
  }
}

function told({ kind, channel, word }: { kind: string; channel: string | null; word: string | null }): Connected {
  if (kind === 'connected' || kind === 'other-account') return { kind, channel: channel ?? '' }
  if (kind === 'refused') return { kind, word: word ?? '' }
  return { kind: kind === 'unaudited' ? 'unaudited' : 'unanswered' }
}

async function pastedAnswer(parts: Parts, begun: Begun, signal: AbortSignal): Promise<Connected> {
  const text = await ask('Address or code: ', signal)
  // Nobody sits here: only the hub can still hear it.
  if (text === null || text.trim() === '') return new Promise(() => {})
  return connect(parts, answerIn(text, begun.state))
}

/** What a person pasted: the address they were sent back to, or the code in it. */
function answerIn(pasted: string, ownState: string | null): AuthorizationAnswer {
  const text = pasted.trim()
  if (!/^https?:/i.test(text)) {
    if (/^[\w.-]{1,500}$/.test(text)) return { state: ownState, said: { code: text } }
    throw new CliError('bad-input', '--code: this is neither a code nor an address that starts with http')
  }
  const query = URL.canParse(text) ? new URL(text).searchParams : new URLSearchParams()
  const state = query.get('state')
  const error = query.get('error')
  const code = query.get('code')
  if (state === null || (code === null && error === null))
    throw new CliError(
      'bad-input',
      '--code: the address holds no `code` and `state`; paste the one you were sent back to after allowing the access',
    )
  return { state, said: error === null ? { code: code ?? '' } : { error } }
}
