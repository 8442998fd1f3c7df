import { createHash, createPrivateKey, createPublicKey, type KeyObject, sign, verify } from 'node:crypto'
import { z } from 'zod'
import type { ChainHead, ChainRow } from '../ports/audit-chain.ts'

const SignedHead = {
  seq: z.string().regex(/^\d{1,19}$/),
  hash: z.hex().length(64),
  at: z.string(),
  /** Ed25519 over the lines of `signedText`, base64. */
  signature: z.base64(),
}

/** What the chain's head was at one moment, signed and kept outside of the database. */
export const Checkpoint = z.union([
  z.strictObject({
    v: z.literal(2),
    ...SignedHead,
    /** Signature of the line before; empty in the first. A line that is taken away is missed by the one behind it. */
    after: z.union([z.base64(), z.literal('')]),
  }),
  // As older releases wrote them, each by itself.
  z.strictObject(SignedHead),
])
export type Checkpoint = z.infer<typeof Checkpoint>

/** What a chain is held against. */
export interface KnownHeads {
  /** In the order they were written. */
  checkpoints: readonly Checkpoint[]
  publicKey: KeyObject
  /** Heads known otherwise, and from where: the database's own, or one that a person kept. */
  others?: readonly { seq: string; hash: string; from: string }[]
}

export interface ChainVerdict {
  rows: number
  checkpoints: number
  /** Sequence number and hash of the last row; of the empty chain where there is none. */
  head: { seq: string; hash: string }
  /** One sentence each; empty when the chain is whole. */
  problems: string[]
}

const GENESIS = createHash('sha256').update('').digest('hex')
const MOST_PROBLEMS = 20

/** SHA-256 of the previous hash and the row's own texts, as the insert trigger makes it. */
function hashOf({ seq, at, actor, body, prev }: Omit<ChainRow, 'hash'>): string {
  return createHash('sha256').update(Buffer.from(prev, 'hex')).update(`${seq}\n${at}\n${actor}\n${body}`, 'utf8').digest('hex')
}

/**
 * Judges a chain by itself and by checkpoints that lay outside of its reach: a changed byte, a removed row, two that changed places, a tail that was
 * cut off, and a head older than a checkpoint are all told. Needs no database.
 */
export async function verifyChain(rows: AsyncIterable<ChainRow>, known: KnownHeads): Promise<ChainVerdict> {
  const { checkpoints, publicKey, others = [] } = known
  const problems: string[] = []
  const tell = (problem: string): void => {
    if (problems.length < MOST_PROBLEMS) problems.push(problem)
  }
  const due = new Map<string, Checkpoint[]>()
  for (const checkpoint of checkpoints) {
    if (!isSigned(checkpoint, publicKey)) tell(`checkpoint ${checkpoint.seq} of ${checkpoint.at} bears no signature of this key`)
    due.set(checkpoint.seq, [...(due.get(checkpoint.seq) ?? []), checkpoint])
  }
  for (const problem of brokenLinks(checkpoints)) tell(problem)
  const met = (seq: string, hash: string): void => {
    for (const checkpoint of due.get(seq) ?? [])
      if (checkpoint.hash !== hash) tell(`row ${seq} is not the one that was signed on ${checkpoint.at}: the chain was written anew`)
    due.delete(seq)
    for (const other of others) if (other.seq === seq && other.hash !== hash) tell(`row ${seq} is not the one that ${other.from} names`)
  }
  let count = 0
  let head = { seq: '0', hash: GENESIS }
  met(head.seq, head.hash)
  for await (const row of rows) {
    count += 1
    const wanted = String(BigInt(head.seq) + 1n)
    if (row.seq !== wanted) tell(`row ${row.seq} stands where row ${wanted} is due: a row was removed, or two changed places`)
    if (row.prev !== head.hash) tell(`row ${row.seq} does not follow the one before it`)
    if (hashOf(row) !== row.hash) tell(`row ${row.seq} was changed: its hash is of another content`)
    head = { seq: row.seq, hash: row.hash }
    met(row.seq, row.hash)
  }
  for (const [seq, [checkpoint]] of due)
    tell(
      `row ${seq}, signed on ${checkpoint?.at}, is not there: the chain ends at row ${head.seq}, its tail was cut off or it is an older one`,
    )
  for (const { seq, from } of others)
    if (BigInt(seq) > BigInt(head.seq)) tell(`row ${seq}, which ${from} names, is not there: the chain ends at row ${head.seq}`)
  return { rows: count, checkpoints: checkpoints.length, head, problems }
}

// Two processes that sign at once cover the same line before them: neither was taken away.
function brokenLinks(checkpoints: readonly Checkpoint[]): string[] {
  return checkpoints.flatMap((checkpoint, i) => {
    const before = checkpoints[i - 1]
    const place = `the signed head of row ${checkpoint.seq} of ${checkpoint.at}`
    if (!('v' in checkpoint)) return before && 'v' in before ? [`${place} is of an older kind than the one before it`] : []
    const isNext = checkpoint.after === (before?.signature ?? '')
    const isBeside = before && 'v' in before && before.after === checkpoint.after
    return isNext || isBeside ? [] : [`${place} does not follow the one before it: a signed head was removed, or two changed places`]
  })
}

export interface CheckpointKey {
  privateKey: KeyObject
  publicKey: KeyObject
}

const PKCS8_ED25519 = Buffer.from('302e020100300506032b657004220420', 'hex')
const SPKI_ED25519 = Buffer.from('302a300506032b6570032100', 'hex')

/** The Ed25519 key pair of a seed of 32 bytes. */
export function checkpointKey(seed: Uint8Array): CheckpointKey {
  const privateKey = createPrivateKey({ key: Buffer.concat([PKCS8_ED25519, seed]), format: 'der', type: 'pkcs8' })
  return { privateKey, publicKey: createPublicKey(privateKey) }
}

/** A public key as people pass it on: base64url of its 32 bytes. */
export function publicKeyText(publicKey: KeyObject): string {
  return publicKey.export({ format: 'der', type: 'spki' }).subarray(SPKI_ED25519.length).toString('base64url')
}

/** Null for a text that is no public key. */
export function readPublicKey(text: string): KeyObject | null {
  const bytes = Buffer.from(text, 'base64url')
  return bytes.length === 32 ? createPublicKey({ key: Buffer.concat([SPKI_ED25519, bytes]), format: 'der', type: 'spki' }) : null
}

/** `before` is the newest checkpoint there is. */
export function signCheckpoint({ seq, hash, at }: ChainHead, before: Checkpoint | undefined, { privateKey }: CheckpointKey): Checkpoint {
  const head = { v: 2 as const, seq, hash, at, after: before?.signature ?? '' }
  return { ...head, signature: sign(null, signedText(head), privateKey).toString('base64') }
}

export function isSigned(checkpoint: Checkpoint, publicKey: KeyObject): boolean {
  return verify(null, signedText(checkpoint), publicKey, Buffer.from(checkpoint.signature, 'base64'))
}

function signedText(head: ChainHead & { after?: string }): Buffer {
  const { seq, hash, at, after } = head
  const lines = after === undefined ? ['rosh audit checkpoint 1', seq, hash, at] : ['rosh audit checkpoint 2', seq, hash, at, after]
  return Buffer.from(lines.join('\n'), 'utf8')
}
