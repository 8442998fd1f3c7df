import { existsSync } from 'node:fs'
import { join } from 'node:path'
import type { KeyObject } from 'node:crypto'
import type { Command } from 'commander'
import { checkpointPath, checkpointsOf, signingKey } from '../checkpoints.ts'
import { type ChainVerdict, publicKeyText, readPublicKey, verifyChain } from '../drivers/audit-chain.ts'
import { AuditFileError, exportedRows, readCheckpoints } from '../drivers/audit-files.ts'
import { postgresAuditChain } from '../drivers/postgres/audit-reader.ts'
import { connect } from '../drivers/postgres/pool.ts'
import { checkpointAudit, type Checkpointed } from '../flows/checkpoint-audit.ts'
import { homeFolder, loadOrCreateSecrets, readInstance } from '../home.ts'
import type { Config } from '../config.ts'
import type { AuditChain } from '../ports/audit-chain.ts'
import { configOf } from './configuration.ts'
import { type CliContext, CliError, conclude, type Register } from './context.ts'
import { attachDatabase } from './database.ts'
import { writePrivately } from './private-file.ts'

/** `rosh audit`: the chained log as a file, its signed heads, and the check that needs neither hub nor database. */
export const registerAudit: Register = (program, context) => {
  const audit = program.command('audit').description('the audit log: export it, sign its head, check that nothing was changed')
  audit
    .command('export')
    .requiredOption('--out <file>', 'written anew, one JSON object a row')
    .description('write the whole chain to a file')
    .option('--json', 'print one JSON object')
    .action(({ out, json }: { out: string; json?: boolean }) =>
      withChain(context, async (chain) => {
        await writePrivately(out, lines(chain))
        conclude(context, json, { data: { written: out }, say: () => context.print(`written to ${out}`) })
      }),
    )
  audit
    .command('checkpoint')
    .description('sign the head now; the reconciler does it every minute')
    .option('--json', 'print one JSON object')
    .action(({ json }: { json?: boolean }) =>
      withChain(context, async (chain, config) => {
        const done = await checkpointAudit(chain, checkpointsOf(config))
        const isBroken = done.kind === 'broken'
        const message = CHECKPOINTED[done.kind](done.seq)
        const failure = isBroken ? ({ code: 'broken-chain', message } as const) : undefined
        conclude(context, json, { data: { ...done }, say: () => context.print(message), failure })
      }),
    )
  audit
    .command('public-key')
    .description('print the key that checkpoints are checked by; keep it apart from this machine')
    .option('--json', 'print one JSON object')
    .action(({ json }: { json?: boolean }) => {
      const publicKey = publicKeyText(homeKey(context))
      conclude(context, json, { data: { publicKey }, say: () => context.print(publicKey) })
    })
  registerVerify(audit, context)
}

const CHECKPOINTED: Record<Checkpointed['kind'], (seq: string) => string> = {
  signed: (seq) => `row ${seq} is signed`,
  unchanged: (seq) => `row ${seq} is signed`,
  begun: (seq) =>
    `row ${seq} is signed, the first of this home; if this hub signed before, its file was removed: compare with the copy of it`,
  broken: (seq) => `row ${seq} is not the one that was signed; nothing was signed`,
}

interface VerifyOptions {
  newest?: string
  export?: string
  checkpoints?: string
  publicKey?: string
  json?: boolean
}

function registerVerify(audit: Command, context: CliContext): void {
  audit
    .command('verify')
    .option('--export <file>', 'check this export, without a database')
    .option('--checkpoints <file>', 'signed heads; with --export needed, else those of this home')
    .option('--public-key <key>', 'as `rosh audit public-key` printed it; else the key of this home')
    .option('--newest <head>', 'a head that an earlier run printed, kept elsewhere: the chain must hold it')
    .option('--json', 'print one JSON object')
    .description('check every row, link and signed head; exits 1 when one is not as it was written')
    .action(async (options: VerifyOptions) => {
      const verdict = await judge(options, context).catch((error: unknown) => {
        if (error instanceof AuditFileError) throw new CliError('bad-audit-file', error.message)
        throw error
      })
      const { problems, rows, checkpoints, head } = verdict
      const message = `${rows} rows, ${checkpoints} signed heads, ${problems.length} problems; head ${head.seq}:${head.hash}`
      conclude(context, options.json, {
        data: { ok: problems.length === 0, ...verdict },
        say: () => {
          for (const problem of problems) context.print(`BROKEN  ${problem}`)
          context.print(message)
        },
        failure: problems.length > 0 ? { code: 'broken-chain', message } : undefined,
      })
    })
}

async function judge(options: VerifyOptions, context: CliContext): Promise<ChainVerdict> {
  const key = options.publicKey === undefined ? homeKey(context) : readPublicKey(options.publicKey)
  if (!key) throw new CliError('bad-input', '--public-key: this is no key; `rosh audit public-key` prints one')
  const others = options.newest === undefined ? [] : [newestHead(options.newest)]
  if (options.export === undefined)
    return withChain(context, async (chain, config) => {
      const checkpoints = await checkpointsIn(options.checkpoints ?? checkpointPath(config))
      // Read before the rows, so that what is appended meanwhile is no problem.
      const { head } = await chain.head('0')
      return verifyChain(chain.rows(), { checkpoints, publicKey: key, others: [...others, { ...head, from: 'the head in the database' }] })
    })
  if (options.checkpoints === undefined)
    throw new CliError('bad-input', '--checkpoints: needed with --export; without it a tail that was cut off is not seen')
  const checkpoints = await checkpointsIn(options.checkpoints)
  return verifyChain(exportedRows(options.export), { checkpoints, publicKey: key, others })
}

function newestHead(typed: string): { seq: string; hash: string; from: string } {
  const [, seq, hash] = /^(\d{1,19}):([0-9a-f]{64})$/.exec(typed) ?? []
  if (seq === undefined || hash === undefined)
    throw new CliError('bad-input', '--newest: is no head; `rosh audit verify` prints one as its last word')
  return { seq, hash, from: '--newest' }
}

async function checkpointsIn(file: string): ReturnType<typeof readCheckpoints> {
  const checkpoints = await readCheckpoints(file)
  // Without one nothing would be held against anything: an emptied file is no proof.
  if (checkpoints.length === 0) throw new CliError('no-checkpoints', `there are no signed heads in ${file}`)
  return checkpoints
}

// Never makes secrets: whoever only checks must not leave a home behind.
function homeKey(context: CliContext): KeyObject {
  const home = homeFolder(context.env)
  if (!existsSync(join(home, 'secrets.json')))
    throw new CliError('bad-input', `--public-key: needed, since ${home} holds no secrets of a hub`)
  return signingKey(loadOrCreateSecrets(home).auditSigningKey).publicKey
}

async function withChain<T>(context: CliContext, work: (chain: AuditChain, config: Config) => Promise<T>): Promise<T> {
  const config = configOf(context, { demo: readInstance(homeFolder(context.env))?.demo ?? false })
  const { url } = await attachDatabase(config)
  const pool = connect({ url, role: 'rosh_auditor', max: 1, applicationName: 'rosh audit' })
  try {
    return await work(postgresAuditChain(pool), config)
  } finally {
    await pool.end()
  }
}

async function* lines(chain: AuditChain): AsyncGenerator<string> {
  for await (const row of chain.rows()) yield `${JSON.stringify(row)}\n`
}
