import type { LedgerEntry } from '../ledger.ts'
import { fillDemoData } from './demo-data.ts'
import type { HubUser } from './env.ts'
import { environment, type Simulation, transact } from './simulation.ts'
import { applyRows, type Row, type Tables } from './tables.ts'

/** State from the ledger; an empty one gets the demo company. A ledger of the other Odoo version is an error. */
export async function restore(sim: Simulation): Promise<void> {
  const entries = sim.ledger.entries()
  const born = entries.find((entry) => entry.kind === 'state' && entry.id === 'version')
  if (!born || !entries.some((entry) => entry.kind === 'state' && entry.id === 'rows')) {
    if (!born) await sim.ledger.append({ kind: 'state', id: 'version', state: { version: sim.tables.version } })
    await transact(sim, { by: 'admin', requestId: null }, (tx) => fillDemoData(environment(sim, tx, { admin: true }), sim.user))
    return
  }
  const { version } = (born as { state: { version: number } }).state
  if (version !== sim.tables.version) {
    throw new Error(
      `the ledger was written by Odoo ${version}; start with ODOO_SIM_VERSION=${version} or with another ODOO_SIM_LEDGER_PATH`,
    )
  }
  rebuildTables(sim.tables, entries)
  for (const entry of entries) restoreSetting(sim, entry)
}

type Change = [string, number, Row | null]

/** Also after a database restore: then everything later than its point is as if it had never been, ids included. */
export function rebuildTables(tables: Tables, entries: LedgerEntry[]): void {
  for (const rows of tables.rows.values()) rows.clear()
  for (const index of [tables.sequences, tables.externalIds, tables.externalIdOf, tables.locks]) index.clear()
  let live: LedgerEntry[] = []
  for (const entry of entries) {
    if (entry.kind === 'state' && entry.id === 'restored') live = live.filter((one) => one.seq <= (entry.state as { seq: number }).seq)
    else live.push(entry)
  }
  for (const entry of live) {
    if (entry.kind === 'order' && 'rows' in entry) applyRows(tables, entry.rows as Change[])
    if (entry.kind === 'state' && entry.id === 'rows') applyRows(tables, (entry.state as { rows: Change[] }).rows)
  }
}

function restoreSetting(sim: Simulation, entry: LedgerEntry): void {
  if (entry.kind !== 'account' && entry.kind !== 'state') return
  if (entry.id === 'user') Object.assign(sim.user, entry.state as Partial<HubUser>)
  if (entry.id === 'webhook') sim.automation.url = (entry.state as { url: string | null }).url
  if (entry.id === 'key') restoreKey(sim, entry.state as { sha256: string; expired: boolean })
}

function restoreKey(sim: Simulation, state: { sha256: string; expired: boolean }): void {
  sim.credentials.keys.set(state.sha256, { expired: state.expired })
}
