import { appendFileSync, cpSync, mkdtempSync, openSync, readdirSync, rmSync, writeFileSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Writable } from 'node:stream'
import { logTo } from '../../src/cli/log.ts'
import type { Config } from '../../src/config.ts'
import type { Log } from '../../src/supervise.ts'
import type { TestDatabase } from '../support/database.ts'
import type { Sample } from './auditor/sample-file.ts'
import { startSampler } from './auditor/sampler.ts'
import { watchCalls } from './watched-calls.ts'

/** What a run leaves for the auditor beside ledgers and tables: samples once a second, calls of its nodes, their logs, and what none of them may say. */
export interface Evidence {
  folder: string
  samples: string
  canaries: string
  /** Logs of all nodes so far. */
  logs(): string[]
  /** Between these instants a node was frozen, or the database made to answer late: what was held open was held for that long. */
  frozen(from: Date, to: Date): void
  /** At this instant of the hub's clock the harness itself lifted the limit of a channel. */
  lifted(channel: string, at: string): void
  /** Begins to sample this database. */
  watch(database: Pick<TestDatabase, 'url' | 'migratorUrl'>, config: Config): Promise<void>
  /** No more samples: the sampler's own reads of whole tables would be counted too. */
  endSamples(): Promise<void>
  /** Copies it to a folder, in place of what stood there. */
  keep(folder: string): void
  /** Ends it and removes what was not kept. */
  stop(): Promise<void>
}

export function openEvidence(): Evidence {
  const folder = mkdtempSync(join(tmpdir(), 'rosh-evidence-'))
  const [samples, canaries] = [join(folder, SAMPLES), join(folder, 'canaries.json')]
  let sampler: { stop(): Promise<void> } | null = null
  const endCalls = noteCalls(folder)
  return {
    folder,
    samples,
    canaries,
    logs: () => readdirSync(folder).flatMap((name) => (name.endsWith('.log') ? [join(folder, name)] : [])),
    frozen: (from, to) => note(folder, { kind: 'frozen', at: from.toISOString(), until: to.toISOString() }),
    lifted: (channel, at) => note(folder, { kind: 'lifted', at, channel }),
    async watch({ url, migratorUrl }, config) {
      writeFileSync(canaries, JSON.stringify({ personal: PERSONAL, secrets: secretsOf(config, url) }))
      // Not through the proxy that the hub's own address may lead to.
      const hubUrl = new URL(url)
      hubUrl.host = new URL(migratorUrl).host
      sampler = await startSampler({ databaseUrl: migratorUrl, hubUrl: hubUrl.href, file: samples })
    },
    async endSamples() {
      await sampler?.stop()
      sampler = null
    },
    keep(kept) {
      rmSync(kept, { recursive: true, force: true })
      cpSync(folder, kept, { recursive: true })
    },
    async stop() {
      endCalls()
      await sampler?.stop()
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

const SAMPLES = 'samples.jsonl'
/** The partner of every order that the workload confirms in the ERP. */
const PERSONAL = ['María Pérez']
/** Key of the simulators, which everybody knows. */
const NO_SECRET = 'change-me'

function secretsOf({ mercadolibre, paris, odoo, odooPathSecret }: Config, databaseUrl: string): string[] {
  const secrets = [
    mercadolibre.pathSecret,
    mercadolibre.webhookSecret,
    mercadolibre.clientSecret,
    paris.apiKey,
    paris.apiSecret,
    odooPathSecret,
    odoo.password,
  ]
  return [...secrets.map((one) => one.reveal()), decodeURIComponent(new URL(databaseUrl).password)].filter((one) => one !== NO_SECRET)
}

const note = (folder: string, sample: Sample): void => appendFileSync(join(folder, SAMPLES), `${JSON.stringify(sample)}\n`)

/** Notes every call that this process makes, and whether its own flow held a transaction open. */
export function noteCalls(folder: string): () => void {
  return watchCalls((call) => note(folder, { kind: 'call', at: new Date().toISOString(), ...call }))
}

/** The log of one node, written as it is said: what a node said before it was killed is there. */
export function nodeLog(folder: string, name: string): Log {
  // Opened once: what a node still says when the folder is gone harms nothing.
  const file = openSync(join(folder, `${name}.log`), 'a')
  const lines = new Writable({
    write(chunk: Buffer, _encoding, done) {
      writeSync(file, chunk)
      done()
    },
  })
  return logTo('info', lines)
}
