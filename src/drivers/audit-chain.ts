import { createHash, createPrivateKey, createPublicKey, type KeyObject, sign, verify } from 'node:crypto'
import { z } from 'zod'
import type { ChainHead, ChainRow } from '../ports/audit-chain.ts'

/** What the chain's head was at one moment, signed and kept outside of the database. */
export const Checkpoint = z.strictObject({
  seq: z.string().regex(/^\d{1,19}$/),
  hash: z.hex().length(64),
  at: z.string(),
  /** Ed25519 over `rosh audit checkpoint 1\nseq\nhash\nat`, base64. */
  signature: z.base64(),
})
export type Checkpoint = z.infer<typeof Checkpoint>

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
export async function verifyChain(
  rows: AsyncIterable<ChainRow>,
  checkpoints: readonly Checkpoint[],
  publicKey: KeyObject,
): Promise<ChainVerdict> {
  const problems: string[] = []
  const tell = (problem: string): void => {
    if (problems.length < MOST_PROBLEMS) problems.push(problem)
  }
  const due = new Map<string, Checkpoint[]>()
  for (const checkpoint of checkpoints) {
    if (!isSigned(checkpoint, publicKey)) tell(`checkpoint ${checkpoint.seq} of ${checkpoint.at} bears no signature of this key`)
    due.set(checkpoint.seq, [...(due.get(checkpoint.seq) ?? []), checkpoint])
  }
  const met = (seq: string, hash: string): void => {
    for (const checkpoint of due.get(seq) ?? [])
      if (checkpoint.hash !== hash) tell(`row ${seq} is not the one that was signed on ${checkpoint.at}: the chain was written anew`)
    due.delete(seq)
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
  return { rows: count, checkpoints: checkpoints.length, head, problems }
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

export function signCheckpoint(head: ChainHead, { privateKey }: CheckpointKey): Checkpoint {
  return { ...head, signature: sign(null, signedText(head), privateKey).toString('base64') }
}

export function isSigned(checkpoint: Checkpoint, publicKey: KeyObject): boolean {
  return verify(null, signedText(checkpoint), publicKey, Buffer.from(checkpoint.signature, 'base64'))
}

function signedText({ seq, hash, at }: ChainHead): Buffer {
  return Buffer.from(`rosh audit checkpoint 1\n${seq}\n${hash}\n${at}`, 'utf8')
}
