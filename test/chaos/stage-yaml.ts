import { ACCOUNTS_AND_RULES } from '../support/running-hub.ts'

/** Short windows; the settle window is the one that must hold on a busy machine too: it is longer than any simulator takes. */
const CHAOS_YAML = `${ACCOUNTS_AND_RULES}
compareAfterSeconds: 3600
channels:
  odoo: { timing: { timeoutMs: 1500, marginMs: 500, settleMs: 1500, leaseMs: 4000 } }
  'mercadolibre:1001': { timing: { timeoutMs: 600, marginMs: 500, settleMs: 1500, leaseMs: 2500 } }
  'mercadolibre:1002': { timing: { timeoutMs: 600, marginMs: 500, settleMs: 1500, leaseMs: 2500 } }
  'paris:main': { idempotentCreate: IDEMPOTENT, timing: { timeoutMs: 600, marginMs: 500, settleMs: 1500, leaseMs: 2500 } }
`

/** What stands in the settings, and what shall; every time it occurs. */
export type YamlChanges = readonly (readonly [from: string, to: string])[]

/** The settings of a scenario. Throws for a text that is not there any more: the scenario would have another meaning, unnoticed. */
export function yamlOf(changes: YamlChanges): string {
  return changes.reduce((yaml, [from, to]) => {
    if (!yaml.includes(from)) throw new Error(`the settings of the stage have no "${from}"`)
    return yaml.replaceAll(from, to)
  }, CHAOS_YAML)
}
