import { z } from 'zod'
import { Secret } from './secret.ts'

const port = (fallback: number): z.ZodType<number> => z.coerce.number().int('a port number').min(0).max(65_535).default(fallback)
const seconds = (fallback: number): z.ZodType<number> =>
  z.coerce.number().positive('a number of seconds above 0').max(86_400).default(fallback)
const count = (fallback: number): z.ZodType<number> => z.coerce.number().int('a whole number').min(1).max(1_000).default(fallback)
const text = z.string().trim().min(1).optional()
const url = z.url({ protocol: /^https?$/, error: 'an http or https address' }).optional()
const secret = z
  .string()
  .min(1)
  .optional()
  .transform((value) => (value === undefined ? undefined : new Secret(value)))

/**
 * Every environment variable the hub reads. `.env.example` and the table in the docs are generated from here.
 * Names are the product's contract: people and machines rely on them.
 */
export const Variables = z.object({
  ENV: z.enum(['development', 'production', 'test']).default('development').describe('Kind of deployment; `production` refuses demo mode'),
  LOG_LEVEL: z
    .enum(['trace', 'debug', 'info', 'warn', 'error', 'silent'])
    .default('info')
    .describe('Least level that is logged, on stderr'),
  ROSH_HOME: text.describe('Folder of local state and generated secrets; default `.rosh` beside the package'),
  ROSH_CONFIG: text.describe('YAML file of what is not a secret: channels, routing, maps; default `hub.yaml` beside `.env`'),
  DATABASE_URL: secret.describe('PostgreSQL 14 or newer; wins over APP_DB_*; without either an embedded server is started'),
  MIGRATOR_DATABASE_URL: secret.describe(
    'Login that owns the database and runs the migrations, so that the one of DATABASE_URL need own nothing; used by `rosh migrate` and whatever starts a part of the hub, where it is set',
  ),
  APP_DB_HOST: text.describe('PostgreSQL host, when DATABASE_URL is not set'),
  APP_DB_PORT: port(5432).describe('PostgreSQL port'),
  APP_DB_USER: text.describe('PostgreSQL user'),
  APP_DB_PASSWORD: secret.describe('PostgreSQL password'),
  APP_DB_NAME: text.describe('PostgreSQL database'),
  HTTP_PORT: z.coerce.number().int().min(0).max(65_535).optional().describe('Port of webhooks and console; wins over PORT; default 8000'),
  PORT: z.coerce.number().int().min(0).max(65_535).optional().describe('As HTTP_PORT, for platforms that set it'),
  PARIS_MOCK_PORT: port(9100).describe('Port of the Paris simulator'),
  MELI_SIM_PORT: port(9200).describe('Port of the MercadoLibre simulator'),
  ODOO_SIM_PORT: port(9300).describe('Port of the Odoo simulator'),
  ODOO_URL: url.describe('Address of a real Odoo; without it the simulator is used'),
  ODOO_DB: text.describe('Odoo database'),
  ODOO_USER: text.describe('Login of the hub user in Odoo'),
  ODOO_PASSWORD: secret.describe('Its password or, better, its API key'),
  ODOO_PASSWORD_NEXT: secret.describe('A second key, taken where the first is refused: a key is then changed without a stop'),
  ODOO_WEBHOOK_PATH_SECRET: secret.describe('Secret segment of Odoo’s automation webhook path; generated when not set'),
  ODOO_WEBHOOK_PATH_SECRET_NEXT: secret.describe(
    'Second secret of that path while one is replaced; both are taken, each in its time (`webhooks.keys`)',
  ),
  ML_CLIENT_ID: text.describe('MercadoLibre application id; without it the simulator is used'),
  ML_CLIENT_SECRET: secret.describe('MercadoLibre application secret'),
  ML_REDIRECT_URI: url.describe('Redirect address registered with the application'),
  ML_AUTH_BASE: z.url().default('https://auth.mercadolibre.cl').describe('Origin of the authorization page'),
  ML_API_BASE: z.url().default('https://api.mercadolibre.com').describe('Origin of the API'),
  ML_REFRESH_SKEW_SECONDS: seconds(300).describe('How long before its expiry a token is refreshed'),
  ML_WEBHOOK_SECRET: secret.describe('Key of signed notifications (`X-Signature`, signing relays); generated when not set'),
  ML_WEBHOOK_SECRET_NEXT: secret.describe('Second key of `X-Signature` while one is replaced'),
  ML_WEBHOOK_PATH_SECRET: secret.describe('Secret segment of the unsigned notification path; generated when not set'),
  ML_WEBHOOK_PATH_SECRET_NEXT: secret.describe('Second secret of the unsigned path while one is replaced'),
  PARIS_BASE_URL: url.describe('Address of Paris; without it the simulator is used'),
  PARIS_API_KEY: secret.describe('Key sent as `X-API-Key`'),
  PARIS_API_SECRET: secret.describe('Key of `X-Paris-Signature`; generated when not set'),
  PARIS_API_SECRET_NEXT: secret.describe('Second key of Paris’ webhooks while one is replaced'),
  PARIS_MOCK_DB_PATH: text.describe('Ledger file of the Paris simulator'),
  ADAPTER_MAX_ATTEMPTS: count(4).describe('Most requests for one read within one claim; sends are never repeated inside'),
  OUTBOX_MAX_ATTEMPTS: count(12).describe('Sends before a delivery is a dead letter; 12 spread over about 28 hours'),
  OUTBOX_POLL_INTERVAL_SECONDS: seconds(5).describe('How often the ERP is read and due work is swept when nothing wakes the worker'),
  RECONCILER_INTERVAL_SECONDS: seconds(900).describe('How often ERP, hub and marketplaces are compared'),
  USE_SECRET_MANAGER: z
    .enum(['true', 'false', '1', '0'])
    .default('false')
    .describe('Reads the secrets that are listed from Google Secret Manager at start; nothing starts when one cannot be read'),
  GCP_PROJECT_ID: text.describe('Google Cloud project of the secrets'),
  SECRET_MANAGER_SECRETS: text.describe('`VARIABLE` or `VARIABLE=secret@version`, separated by commas'),
  SECRET_MANAGER_BASE_URL: url.describe('Origin of Secret Manager, where it is not Google’s own'),
  GCE_METADATA_HOST: text.describe('Host of the metadata server that gives access tokens; default `metadata.google.internal`'),
  MCP_STATIC_TOKENS: secret.describe('`token:scope,scope;token2:role` for single-machine set-ups'),
  MCP_TOKEN: secret.describe('The token that an MCP process over stdio acts with'),
})
export type Variables = z.infer<typeof Variables>

/** Variables that earlier set-ups know and that no longer, or not yet, apply; none is ignored silently. */
export const REPLACED: Record<string, string> = {
  ...Object.fromEntries(
    [
      'PUBSUB_EMULATOR_HOST',
      'PUBSUB_PROJECT_ID',
      ...['EVENTS', 'DLQ', 'SYNC_DLQ'].flatMap((n) => [`PUBSUB_TOPIC_${n}`, `PUBSUB_SUB_${n}`]),
    ].map((name) => [name, 'the event bus is PostgreSQL in this version']),
  ),
  ...Object.fromEntries(
    ['BQ_PROJECT_ID', 'BQ_LOCATION', 'BQ_BRONZE_DATASET', 'BQ_SILVER_DATASET', 'BQ_GOLD_DATASET', 'BQ_BATCH_SIZE'].map((name) => [
      name,
      'the warehouse is not part of this version; SLA figures come from the operational tables',
    ]),
  ),
  OTEL_EXPORTER_OTLP_ENDPOINT: 'telemetry export is not part of this version; trace ids stand in the attempts',
  OTEL_SERVICE_NAME: 'telemetry export is not part of this version',
  METRICS_PORT: 'the metrics listener is not part of this version; `rosh status` and the health checks say how it stands',
  PARIS_WEBHOOK_SECRET: 'use PARIS_API_SECRET',
  ODOO_API_KEY: 'use ODOO_PASSWORD; it takes an API key',
}
