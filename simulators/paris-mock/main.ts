import { z } from 'zod'
import { defaultLedgerPath, port, runSimulator, simulatorKey } from '../process.ts'
import { startParisMock } from './paris-mock.ts'
import type { ParisMockOptions } from './paris-mock.ts'
import { profiles, standardSecret } from './settings.ts'

const milliseconds = z.coerce.number().int().min(0).max(86_400_000)
const yesOrNo = z.enum(['true', 'false']).transform((text) => text === 'true')
const list = z.string().transform((text) => text.split(',').map((one) => one.trim()))

const schema = z
  .object({
    SIMULATOR_KEY: simulatorKey,
    /** Default: `SIMULATOR_KEY`, as is `PARIS_API_SECRET`. */
    PARIS_API_KEY: z.string().min(1).optional(),
    PARIS_API_SECRET: z.string().min(1).optional(),
    PARIS_MOCK_PORT: port(9100),
    PARIS_MOCK_HOST: z.string().default('127.0.0.1'),
    PARIS_MOCK_DB_PATH: z.string().default(defaultLedgerPath('paris-mock')),
    PARIS_MOCK_PROFILE: z.enum(profiles).default('external-ref-unique'),
    PARIS_MOCK_SEARCH_LAG_MS: milliseconds.default(0),
    PARIS_MOCK_PROCESSING_MS: milliseconds.default(0),
    PARIS_MOCK_REFERENCE_LOOKUP: yesOrNo.default(true),
    PARIS_MOCK_STANDARD_WEBHOOKS: yesOrNo.default(false),
    /** Comma-separated; default: one made of `PARIS_API_SECRET`. */
    PARIS_MOCK_STANDARD_SECRETS: list.pipe(z.array(standardSecret)).optional(),
    PARIS_MOCK_WEBHOOK_URLS: list.pipe(z.array(z.url({ protocol: /^https?$/ }))).default([]),
    PARIS_MOCK_WEBHOOK_RETRY_MS: list.pipe(z.array(z.coerce.number<string>().int().min(0).max(3_600_000))).default([200, 1000]),
    PARIS_MOCK_SEED: z.coerce.number().int().default(1),
    PARIS_MOCK_LOG: yesOrNo.default(false),
  })
  // `when`: checked beside the other settings, so that all problems are named at once.
  .refine((env) => isLoopback(env) || env.SIMULATOR_KEY !== 'change-me', { ...refusal('SIMULATOR_KEY'), when: () => true })
  .refine((env) => isLoopback(env) || env.PARIS_API_KEY !== 'change-me', { ...refusal('PARIS_API_KEY'), when: () => true })

function isLoopback(env: { PARIS_MOCK_HOST: string }): boolean {
  return ['127.0.0.1', '::1', 'localhost'].includes(env.PARIS_MOCK_HOST)
}

function refusal(variable: string): { path: string[]; error: string } {
  return { path: [variable], error: 'the default key is for loopback only: set another one' }
}

await runSimulator({
  name: 'paris-mock',
  portVariable: 'PARIS_MOCK_PORT',
  schema,
  environment: process.env,
  start: (env) => startParisMock(optionsOf(env)),
})

function optionsOf(env: z.output<typeof schema>): ParisMockOptions {
  return {
    ledgerPath: env.PARIS_MOCK_DB_PATH,
    port: env.PARIS_MOCK_PORT,
    host: env.PARIS_MOCK_HOST,
    adminKey: env.SIMULATOR_KEY,
    ...(env.PARIS_API_KEY === undefined ? {} : { apiKey: env.PARIS_API_KEY }),
    ...(env.PARIS_API_SECRET === undefined ? {} : { webhookSecret: env.PARIS_API_SECRET }),
    profile: env.PARIS_MOCK_PROFILE,
    searchLagMs: env.PARIS_MOCK_SEARCH_LAG_MS,
    processingMs: env.PARIS_MOCK_PROCESSING_MS,
    referenceLookUp: env.PARIS_MOCK_REFERENCE_LOOKUP,
    standardWebhooks: env.PARIS_MOCK_STANDARD_WEBHOOKS,
    ...(env.PARIS_MOCK_STANDARD_SECRETS === undefined ? {} : { standardSecrets: env.PARIS_MOCK_STANDARD_SECRETS }),
    webhookUrls: env.PARIS_MOCK_WEBHOOK_URLS,
    retryDelaysMs: env.PARIS_MOCK_WEBHOOK_RETRY_MS,
    seed: env.PARIS_MOCK_SEED,
    log: env.PARIS_MOCK_LOG,
  }
}
