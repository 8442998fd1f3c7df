import { ROLE_SCOPES } from '../apps/mcp-server/principal.ts'
import { type Scope, SCOPES } from '../ports/audit.ts'
import { audited } from '../flows/audited.ts'
import { countFrom } from './count.ts'
import { type CliContext, CliError, conclude, type Register } from './context.ts'
import { operatorAtTerminal, withDesk } from './with-desk.ts'

const DAY_MS = 86_400_000
const MOST_DAYS = 3_650

/** `rosh tokens`: API tokens of agents and people; only their hashes are stored, so a new one is shown once. */
export const registerTokens: Register = (program, context) => {
  const tokens = program.command('tokens').description('API tokens: who may ask and repair')
  tokens
    .command('issue')
    .argument('<name>', 'who it is for; shown in the audit log')
    .argument('<scopes>', `a role (${Object.keys(ROLE_SCOPES).join(', ')}) or scopes: ${SCOPES.join(',')}`)
    .option('--days <count>', 'days until it ends', '90')
    .option('--json', 'print one JSON object')
    .description('issue a token; it is printed once and never again')
    .action(async (name: string, scopes: string, options: { days: string; json?: boolean }) =>
      issue(context, {
        name,
        scopes: scopesOf(scopes),
        days: countFrom('--days', options.days, [1, MOST_DAYS]),
        json: options.json ?? false,
      }),
    )
  tokens
    .command('list')
    .description('list the tokens that were issued, newest first; never the tokens themselves')
    .option('--json', 'print one JSON object')
    .action((options: { json?: boolean }) => list(context, options.json ?? false))
  tokens
    .command('revoke')
    .argument('<id>', 'its number, as `rosh tokens issue` printed it')
    .description('end a token at once')
    .option('--json', 'print one JSON object')
    .action((id: string, options: { json?: boolean }) => revoke(context, id, options.json))
}

async function revoke(context: CliContext, id: string, json: boolean | undefined): Promise<void> {
  if (!/^\d{1,18}$/.test(id)) throw new CliError('bad-input', `<id>: "${id}" is no token number; \`rosh tokens list\` shows them`)
  const revoked = await withDesk(context, async (desk) => {
    const intent = { principal: operatorAtTerminal(), tool: 'rosh tokens revoke', scopeUsed: null, params: { id }, isNoted: true }
    const act = await audited(desk, {
      intent,
      run: (operationId) => desk.tokens.revoke(id, operationId),
      outcomeOf: (revoked) => ({ result: 'ok' as const, effect: { revoked } }),
    })
    return 'value' in act ? act.value : unaudited()
  })
  const message = revoked ? `token ${id} is refused from now on` : `there is no live token ${id}; nothing changed`
  const failure = revoked ? undefined : ({ code: 'unknown-token', message } as const)
  conclude(context, json, { data: { id, revoked }, say: () => context.print(message), failure })
}

async function list(context: CliContext, json: boolean): Promise<void> {
  const tokens = await withDesk(context, (desk) => desk.tokens.list())
  if (json) return context.print(JSON.stringify({ tokens }))
  if (tokens.length === 0) return context.print('no token was issued yet; `rosh tokens issue <name> viewer` makes one')
  for (const { id, prefix, principal, scopes, state, expiresAt, lastUsedAt } of tokens) {
    context.print(`${id.padStart(4)}  ${`${prefix}...`.padEnd(13)} ${state.padEnd(8)} ${principal}`)
    context.print(
      `      ends ${expiresAt?.slice(0, 10) ?? 'never'}, last used ${lastUsedAt?.slice(0, 16) ?? 'never'}; ${scopes.join(', ')}`,
    )
  }
}

function scopesOf(text: string): Scope[] {
  return text.split(',').flatMap((word) => {
    const role = Object.hasOwn(ROLE_SCOPES, word.trim()) ? ROLE_SCOPES[word.trim()] : undefined
    if (role) return [...role]
    const scope = SCOPES.find((s) => s === word.trim())
    if (!scope)
      throw new CliError(
        'bad-input',
        `scopes: "${word}" is no scope and no role; use ${[...SCOPES, ...Object.keys(ROLE_SCOPES)].join(', ')}`,
      )
    return [scope]
  })
}

async function issue(context: CliContext, ask: { name: string; scopes: Scope[]; days: number; json: boolean }): Promise<void> {
  const issued = await withDesk(context, async (desk) => {
    const intent = {
      principal: operatorAtTerminal(),
      tool: 'rosh tokens issue',
      scopeUsed: null,
      params: { principal: ask.name, scopes: ask.scopes, days: ask.days },
      isNoted: true,
    }
    const act = await audited(desk, {
      intent,
      run: (operationId) =>
        desk.tokens.issue(
          { principal: ask.name, scopes: ask.scopes, expiresAt: new Date(Date.now() + ask.days * DAY_MS).toISOString() },
          operationId,
        ),
      outcomeOf: () => ({ result: 'ok' as const }),
    })
    return 'value' in act ? act.value : unaudited()
  })
  context.print(
    ask.json
      ? JSON.stringify(issued)
      : `${issued.token}\n\nToken ${issued.id}, shown once. Give it to the agent as MCP_TOKEN; it ends in ${ask.days} days.`,
  )
}

function unaudited(): never {
  throw new CliError('unaudited', 'the audit log cannot be written, so nothing was changed')
}
