import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto'
import { type Pool, type PoolClient, transaction } from './pool.ts'

/** Wraps the data keys and never enters the database. `key` is 32 bytes; `retired` ones still open what they wrapped until it is rotated. */
export interface KeyRing {
  kekId: string
  key: Uint8Array
  retired?: readonly { kekId: string; key: Uint8Array }[]
}

/** Where a sealed value stands. It opens there and nowhere else. */
export interface Place {
  table: string
  row: string
  column: string
}

export interface Sealer {
  /** Makes a data key in the caller's transaction and answers its id. One per order, one per credential. */
  newDataKey(client: PoolClient, purpose: 'order' | 'credential'): Promise<string>
  /** Throws when there is no such key. */
  seal(client: Pool | PoolClient, keyId: string, place: Place, plaintext: string): Promise<Buffer>
  /** Null when the key was deleted: the value is gone for good. Throws when the bytes were changed or moved from their place. */
  open(client: Pool | PoolClient, keyId: string, place: Place, sealed: Buffer): Promise<string | null>
}

/**
 * Columns under AES-256-GCM. Data keys are not cached: one that is deleted opens nothing from then on, in no process. The ring is asked for again for
 * every new data key and where a key-encryption key is not known, so that a rotation needs no restart.
 */
export function sealer(ring: KeyRing | (() => KeyRing)): Sealer {
  const read = (): KeyRing => checked(typeof ring === 'function' ? ring() : ring)
  let known = read()
  const kekOf = (kekId: string): Kek | undefined => {
    const found = kekIn(known, kekId)
    return found ?? kekIn((known = read()), kekId)
  }
  return {
    newDataKey: (client, purpose) => newDataKey(client, () => (known = read()), purpose),
    seal: async (client, keyId, place, plaintext) => {
      const key = await readDataKey(client, kekOf, keyId)
      if (key === null) throw new Error(`data key ${keyId} does not exist`)
      return encrypt(key, boundTo(place, keyId), Buffer.from(plaintext, 'utf8'))
    },
    open: async (client, keyId, place, sealed) => {
      const key = await readDataKey(client, kekOf, keyId)
      return key === null ? null : decrypt(key, boundTo(place, keyId), sealed).toString('utf8')
    },
  }
}

/**
 * Wraps the data keys anew under the ring's current key, `limit` of them, and answers how many; 0 means that none is left. Each row is changed
 * by itself, so a job that was killed is simply run again. What the keys seal stays as it is.
 */
export async function rotateDataKeys(client: Pool | PoolClient, keyRing: KeyRing, limit: number): Promise<number> {
  checked(keyRing)
  const { rows } = await client.query<WrappedKey>('SELECT id, kek_id, wrapped FROM data_key WHERE kek_id <> $1 ORDER BY id LIMIT $2', [
    keyRing.kekId,
    limit,
  ])
  for (const row of rows) {
    const wrapped = wrap(
      keyRing,
      row.id,
      unwrap((kekId) => kekIn(keyRing, kekId), row),
    )
    await client.query('UPDATE data_key SET kek_id = $3, wrapped = $4 WHERE id = $1 AND kek_id = $2', [
      row.id,
      row.kek_id,
      keyRing.kekId,
      wrapped,
    ])
  }
  return rows.length
}

/** A data key, and the id of the key-encryption key that its row names. */
export interface Unopened {
  id: string
  kekId: string
}

/** Opens the data keys behind id `after` with the ring, and answers the first that does not open. The id of a key is no proof: another key may bear it. */
export async function firstUnopened(client: Pool | PoolClient, keyRing: KeyRing, after = '0'): Promise<Unopened | null> {
  for (let last = after; ; ) {
    const { rows } = await client.query<WrappedKey>('SELECT id, kek_id, wrapped FROM data_key WHERE id > $1 ORDER BY id LIMIT 1000', [last])
    const unopened = rows.find((row) => !opens(keyRing, row))
    if (unopened) return { id: unopened.id, kekId: unopened.kek_id }
    const next = rows.at(-1)?.id
    if (next === undefined) return null
    last = next
  }
}

/**
 * Runs `forget` when the ring's newest key opens every data key without the retired ones, and lets nobody make one meanwhile. Answers the first that it
 * does not open; then nothing was forgotten.
 */
export async function forgetRetired(pool: Pool, { kekId, key }: KeyRing, forget: () => void): Promise<Unopened | null> {
  const newest = { kekId, key }
  // Whoever makes a data key holds the table till its commit: behind the lock every id up to the last is there to be read, and a new one is higher.
  const settled = await alone(pool, async (client) => {
    const { rows } = await client.query<{ id: string }>('SELECT coalesce(max(id), 0)::text AS id FROM data_key')
    return rows[0]?.id ?? '0'
  })
  const unopened = await firstUnopened(pool, newest)
  if (unopened) return unopened
  // Orders wait for this one, so it reads the few that came meanwhile alone.
  return alone(pool, async (client) => {
    const late = await firstUnopened(client, newest, settled)
    if (!late) forget()
    return late
  })
}

const alone = <T>(pool: Pool, work: (client: PoolClient) => Promise<T>): Promise<T> =>
  transaction(pool, async (client) => {
    await client.query('LOCK TABLE data_key IN SHARE MODE')
    return work(client)
  })

type Kek = Pick<KeyRing, 'kekId' | 'key'>
type KekOf = (kekId: string) => Kek | undefined

const kekIn = (ring: KeyRing, kekId: string): Kek | undefined => [ring, ...(ring.retired ?? [])].find((one) => one.kekId === kekId)

function opens(keyRing: KeyRing, row: WrappedKey): boolean {
  try {
    unwrap((kekId) => kekIn(keyRing, kekId), row)
    return true
  } catch {
    return false
  }
}

interface WrappedKey {
  id: string
  kek_id: string
  wrapped: Buffer
}

function checked(ring: KeyRing): KeyRing {
  for (const one of [ring, ...(ring.retired ?? [])]) {
    if (one.kekId === '') throw new Error('a key-encryption key needs an id')
    if (one.key.byteLength !== 32) throw new Error(`key-encryption key ${one.kekId} has ${one.key.byteLength} bytes: it needs 32`)
  }
  return ring
}

// The id is drawn first, because the wrapped key is bound to it: wrapped keys cannot change places. The lock comes before the ring is read, so that
// whoever forgets an old key waits for this one, or this one reads the ring without it.
async function newDataKey(client: PoolClient, readRing: () => KeyRing, purpose: string): Promise<string> {
  await client.query('LOCK TABLE data_key IN ROW EXCLUSIVE MODE')
  const keyRing = readRing()
  const drawn = await client.query<{ id: string }>(`SELECT nextval('data_key_id_seq') AS id`)
  const id = drawn.rows[0]?.id ?? ''
  await client.query('INSERT INTO data_key (id, purpose, kek_id, wrapped) OVERRIDING SYSTEM VALUE VALUES ($1, $2, $3, $4)', [
    id,
    purpose,
    keyRing.kekId,
    wrap(keyRing, id, randomBytes(32)),
  ])
  return id
}

async function readDataKey(client: Pool | PoolClient, kekOf: KekOf, keyId: string): Promise<Buffer | null> {
  const { rows } = await client.query<WrappedKey>('SELECT id, kek_id, wrapped FROM data_key WHERE id = $1', [keyId])
  return rows[0] ? unwrap(kekOf, rows[0]) : null
}

function wrap(keyRing: KeyRing, id: string, dataKey: Buffer): Buffer {
  return encrypt(keyRing.key, boundTo({ table: 'data_key', row: id, column: 'wrapped' }, keyRing.kekId), dataKey)
}

function unwrap(kekOf: KekOf, { id, kek_id: kekId, wrapped }: WrappedKey): Buffer {
  const kek = kekOf(kekId)
  if (!kek) throw new Error(`data key ${id} is wrapped under key-encryption key ${kekId}, which is not configured`)
  return decrypt(kek.key, boundTo({ table: 'data_key', row: id, column: 'wrapped' }, kekId), wrapped)
}

// JSON, so that no two places share a text.
function boundTo({ table, row, column }: Place, keyId: string): Buffer {
  return Buffer.from(JSON.stringify([table, row, column, keyId]), 'utf8')
}

const FORMAT = 1
const IV_BYTES = 12
const TAG_BYTES = 16

/** format (1 byte), IV (12), tag (16), ciphertext. */
function encrypt(key: Uint8Array, aad: Buffer, plaintext: Buffer): Buffer {
  const iv = randomBytes(IV_BYTES)
  const cipher = createCipheriv('aes-256-gcm', key, iv, { authTagLength: TAG_BYTES })
  cipher.setAAD(aad)
  const sealed = Buffer.concat([cipher.update(plaintext), cipher.final()])
  return Buffer.concat([Buffer.from([FORMAT]), iv, cipher.getAuthTag(), sealed])
}

function decrypt(key: Uint8Array, aad: Buffer, sealed: Buffer): Buffer {
  if (sealed[0] !== FORMAT || sealed.length < 1 + IV_BYTES + TAG_BYTES) throw new Error('a sealed value has an unknown format')
  const tagAt = 1 + IV_BYTES
  const decipher = createDecipheriv('aes-256-gcm', key, sealed.subarray(1, tagAt), { authTagLength: TAG_BYTES })
  decipher.setAAD(aad)
  decipher.setAuthTag(sealed.subarray(tagAt, tagAt + TAG_BYTES))
  return Buffer.concat([decipher.update(sealed.subarray(tagAt + TAG_BYTES)), decipher.final()])
}
