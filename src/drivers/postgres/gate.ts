import type { GateEffect } from '../../core/delivery.ts'
import { knowDatabase } from './database-copy.ts'
import type { Pool, PoolClient, Queryable } from './pool.ts'

/** How a channel's gate stands, shared by every worker: `closed` circuit is the healthy state. */
export type GateState = 'closed' | 'open' | 'probing' | 'limited' | 'paused' | 'disabled'

export interface Gate {
  state: GateState
  /** While paused. */
  pauseCause: string | null
  pausedAt: string | null
  openedAt: string | null
  probeAt: string | null
  limitedUntil: string | null
  failures: number
}

/** What a claim may take now: nothing while the gate is shut, one row when it is the probe. */
export interface Passage {
  most: number
  probe: boolean
}

/** Consecutive failures that open the circuit. */
const OPENS_AT = 5

/**
 * What an answer does to its channel's gate; writes only when something changes. `probe` tells whether the request tested a shut gate: answers to
 * requests that were under way when it shut neither put the next probe off nor end a pause.
 */
export async function applyGate(client: Queryable, channel: string, effect: GateEffect, probe = true): Promise<void> {
  switch (effect.kind) {
    case 'none':
      return
    case 'untested':
      if (probe) await client.query('UPDATE channel SET probe_at = hub_now() WHERE id = $1 AND gate_is_tested(channel)', [channel])
      return
    case 'healthy':
      await client.query(HEALTHY, [channel, probe])
      return
    case 'failure':
      await client.query(FAILURE, [channel, probe])
      return
    case 'limit':
      await client.query(
        `UPDATE channel SET limited_until = greatest(limited_until, hub_now() + $2 * interval '1 ms')
         WHERE id = $1 AND (limited_until IS NULL OR limited_until < hub_now() + $2 * interval '1 ms')`,
        [channel, effect.forMs],
      )
      return
    case 'pause':
      await client.query(PAUSE, [channel, effect.cause, probe])
  }
}

/** What one answer of a group does to the gate of its channel. */
export interface ChannelEffect {
  channel: string
  effect: GateEffect
  probe?: boolean
}

/**
 * The effects of a group, in the order of their channels, so that two groups never wait for each other in a circle. A healthy answer right
 * after another of its channel changes nothing, and costs no statement; a probe's comes first, since it does more.
 */
export async function applyGates(client: Queryable, effects: readonly ChannelEffect[]): Promise<void> {
  const sorted = effects.filter(({ effect }) => effect.kind !== 'none').sort(byChannel)
  const telling = sorted.filter((one, at) => one.effect.kind !== 'healthy' || !isHealthyAt(sorted[at - 1], one.channel))
  for (const { channel, effect, probe } of telling) await applyGate(client, channel, effect, probe)
}

const byChannel = (a: ChannelEffect, b: ChannelEffect): number =>
  a.channel === b.channel ? Number(isProbesHealthy(b)) - Number(isProbesHealthy(a)) : a.channel < b.channel ? -1 : 1
const isProbesHealthy = ({ effect, probe = true }: ChannelEffect): boolean => effect.kind === 'healthy' && probe
const isHealthyAt = (one: ChannelEffect | undefined, channel: string): boolean => one?.channel === channel && one.effect.kind === 'healthy'

// When a gate is shut, may be tested by a probe, or mends itself is said by the functions of migration 0031.
const HEALTHY = `
  UPDATE channel SET
    circuit_failures = 0, circuit_opened_at = NULL,
    probe_at = CASE WHEN paused_at IS NOT NULL AND NOT ($2 AND gate_mends_itself(channel)) THEN probe_at END,
    pause_cause = CASE WHEN $2 AND gate_mends_itself(channel) THEN NULL ELSE pause_cause END,
    paused_at = CASE WHEN $2 AND gate_mends_itself(channel) THEN NULL ELSE paused_at END
  WHERE id = $1 AND (circuit_failures <> 0 OR circuit_opened_at IS NOT NULL OR ($2 AND gate_mends_itself(channel)))`

/** Probes of a pause are as far apart as it is old, within 5 and 60 seconds: like a circuit's. */
const PAUSE_PROBE_AT = `hub_now() + greatest(interval '5 s', least(interval '60 s', hub_now() - coalesce(paused_at, hub_now())))`

// Failed probes: 5, 10, 20, 40, 60, 60 … seconds apart.
const FAILURE = `
  UPDATE channel SET
    circuit_failures = circuit_failures + 1,
    circuit_opened_at = CASE WHEN circuit_failures + 1 >= ${OPENS_AT} THEN coalesce(circuit_opened_at, hub_now()) END,
    probe_at = CASE WHEN circuit_failures + 1 >= ${OPENS_AT}
                    THEN hub_now() + least(60, 5 * power(2, least(circuit_failures + 1 - ${OPENS_AT}, 10))) * interval '1 s'
                    WHEN paused_at IS NOT NULL AND $2 THEN ${PAUSE_PROBE_AT}
                    WHEN paused_at IS NOT NULL THEN probe_at END
  WHERE id = $1 AND (circuit_opened_at IS NULL OR $2)`

// The first cause and time stay; a probe that is refused again puts the next one off.
const PAUSE = `
  UPDATE channel SET
    probe_at = ${PAUSE_PROBE_AT},
    pause_cause = CASE WHEN paused_at IS NULL THEN $2 ELSE pause_cause END,
    paused_at = coalesce(paused_at, hub_now())
  WHERE id = $1 AND (paused_at IS NULL OR $3)`

/**
 * Locks the channel and says how much a claim may take; in a statement of its own, before the rows are read. The lock leaves inserts that
 * refer to the channel alone. Debit with `debitGate` in the same transaction. Nothing in the first moment after a failover or a restore: the copy of the
 * database must be known first, or numbers of the lost time would be given out again.
 */
export async function openGate(client: PoolClient, channel: string, limit: number): Promise<Passage> {
  const { rows } = await client.query<{ known: boolean | null; admits: boolean; tested: boolean; tokens: number }>(
    `SELECT database_is_known() AS known, gate_admits_claim(channel) AS admits, gate_is_tested(channel) AS tested,
            least(bucket_size, bucket_tokens + bucket_rate * greatest(0, extract(epoch FROM hub_now() - bucket_at)))::float8 AS tokens
     FROM channel WHERE id = $1 FOR NO KEY UPDATE`,
    [channel],
  )
  const gate = rows[0]
  if (gate && !gate.known) await knowDatabase(client)
  if (!gate?.admits || gate.known === false) return { most: 0, probe: false }
  return { most: Math.max(0, Math.min(limit, gate.tested ? 1 : limit, Math.floor(gate.tokens))), probe: gate.tested }
}

/** Takes tokens from the channel's bucket; a probe puts the next one off by the lease, so that one is under way at a time. */
export async function debitGate(
  client: PoolClient,
  channel: string,
  taken: { tokens: number; probe: boolean; leaseMs: number },
): Promise<void> {
  await client.query(
    `UPDATE channel SET
       bucket_tokens = least(bucket_size, bucket_tokens + bucket_rate * greatest(0, extract(epoch FROM hub_now() - bucket_at))) - $2,
       bucket_at = hub_now(),
       probe_at = CASE WHEN $3 THEN hub_now() + $4 * interval '1 ms' ELSE probe_at END
     WHERE id = $1`,
    [channel, taken.tokens, taken.probe, taken.leaseMs],
  )
}

/** How the gate of a channel stands; null for an unknown channel. */
export async function readGate(client: Pool | PoolClient, channel: string): Promise<Gate | null> {
  const { rows } = await client.query<Gate>(
    `SELECT CASE WHEN NOT enabled THEN 'disabled'
                 WHEN paused_at IS NOT NULL THEN 'paused'
                 WHEN limited_until > hub_now() THEN 'limited'
                 WHEN circuit_opened_at IS NULL THEN 'closed'
                 WHEN probe_at <= hub_now() THEN 'probing'
                 ELSE 'open' END AS state,
            pause_cause AS "pauseCause", paused_at AS "pausedAt", circuit_opened_at AS "openedAt", probe_at AS "probeAt",
            limited_until AS "limitedUntil", circuit_failures AS failures
     FROM channel WHERE id = $1`,
    [channel],
  )
  return rows[0] ?? null
}
