import { z } from 'zod'
import { defaultLedgerPath, port, runSimulator, simulatorKey } from '../process.ts'
import { defaultClientId, startMeliSim } from './meli-sim.ts'
import type { MeliSimOptions } from './meli-sim.ts'
import { defaultLedgerProfile, defaultSettings, LedgerProfile } from './settings.ts'

const milliseconds = z.coerce.number().int().min(0).max(3_600_000)
const yesOrNo = z.enum(['true', 'false']).transform((text) => text === 'true')
const scheduleText = z.string().transform((text) => text.split(',').map((one) => one.trim()))

const schema = z
  .object({
    SIMULATOR_KEY: simulatorKey,
    /** The app that sellers authorize; numeric, as the vendor's. */
    ML_CLIENT_ID: z
      .string()
      .regex(/^[1-9]\d{5,15}$/, 'a number of 6 to 16 digits')
      .default(defaultClientId),
    ML_CLIENT_SECRET: z.string().min(1).default('change-me'),
    /** When set, the only redirect_uri that is accepted. */
    ML_REDIRECT_URI: z.url().optional(),
    MELI_SIM_PORT: port(9200),
    MELI_SIM_HOST: z.string().default('127.0.0.1'),
    MELI_SIM_LEDGER_PATH: z.string().default(defaultLedgerPath('meli-sim')),
    MELI_SIM_PROFILE: LedgerProfile.shape.profile.default(defaultLedgerProfile.profile),
    MELI_SIM_SEARCH_LAG_MS: milliseconds.default(defaultLedgerProfile.searchLagMs),
    MELI_SIM_PROCESSING_MS: milliseconds.default(defaultLedgerProfile.processingMs),
    MELI_SIM_EXPIRES_IN_SECONDS: z.coerce.number().int().min(0).max(31_536_000).default(defaultSettings.expiresInSeconds),
    MELI_SIM_PKCE_REQUIRED: yesOrNo.default(defaultSettings.pkceRequired),
    MELI_SIM_CALLBACK_URL: z.url({ protocol: /^https?$/ }).optional(),
    /** Signing relay: notifications carry `X-Signature` under this secret. The vendor signs nothing. */
    MELI_SIM_CALLBACK_SECRET: z.string().min(1).optional(),
    /** Comma-separated pauses before attempts 2, 3, ... */
    MELI_SIM_RETRY_MS: scheduleText.pipe(z.array(z.coerce.number<string>().int().min(0).max(3_600_000)).max(7)).optional(),
    MELI_SIM_SEED: z.coerce.number().int().default(1),
    MELI_SIM_LOG: yesOrNo.default(false),
  })
  .superRefine((env, context) => {
    if (['127.0.0.1', '::1', 'localhost'].includes(env.MELI_SIM_HOST)) return
    for (const name of ['SIMULATOR_KEY', 'ML_CLIENT_SECRET'] as const) {
      if (env[name] !== 'change-me') continue
      context.addIssue({ code: 'custom', path: [name], message: 'the default is for loopback only: set another one' })
    }
  })

await runSimulator({
  name: 'meli-sim',
  portVariable: 'MELI_SIM_PORT',
  schema,
  environment: process.env,
  start: (env) => startMeliSim(optionsOf(env)),
})

function optionsOf(env: z.output<typeof schema>): MeliSimOptions {
  const url = env.MELI_SIM_CALLBACK_URL
  return {
    ledgerPath: env.MELI_SIM_LEDGER_PATH,
    port: env.MELI_SIM_PORT,
    host: env.MELI_SIM_HOST,
    adminKey: env.SIMULATOR_KEY,
    clientId: env.ML_CLIENT_ID,
    clientSecret: env.ML_CLIENT_SECRET,
    ...(env.ML_REDIRECT_URI === undefined ? {} : { redirectUri: env.ML_REDIRECT_URI }),
    ...(url === undefined ? {} : { callback: { url, secret: env.MELI_SIM_CALLBACK_SECRET ?? null, topics: null } }),
    settings: {
      expiresInSeconds: env.MELI_SIM_EXPIRES_IN_SECONDS,
      pkceRequired: env.MELI_SIM_PKCE_REQUIRED,
      ...(env.MELI_SIM_RETRY_MS === undefined ? {} : { retryScheduleMs: env.MELI_SIM_RETRY_MS }),
    },
    profile: { profile: env.MELI_SIM_PROFILE, searchLagMs: env.MELI_SIM_SEARCH_LAG_MS, processingMs: env.MELI_SIM_PROCESSING_MS },
    seed: env.MELI_SIM_SEED,
    log: env.MELI_SIM_LOG,
  }
}
