import { createPrivateKey, generateKeyPairSync, sign } from 'node:crypto'

/** A key and a certificate for `localhost` and 127.0.0.1, made on the spot: one that is kept would run out, and its key would lie in the repository. */
export function selfSigned(): { key: string; cert: string } {
  const { privateKey, publicKey } = generateKeyPairSync('ec', {
    namedCurve: 'P-256',
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
    publicKeyEncoding: { type: 'spki', format: 'der' },
  })
  const unsigned = toBeSigned(publicKey)
  const signature = sign('sha256', unsigned, createPrivateKey(privateKey))
  const der = sequence(unsigned, ECDSA_SHA256, tagged(0x03, Buffer.from([0]), signature))
  return { key: privateKey, cert: `-----BEGIN CERTIFICATE-----\n${der.toString('base64')}\n-----END CERTIFICATE-----\n` }
}

// RFC 5280, section 4.1: the fields of a certificate of version 3 in their order.
function toBeSigned(publicKey: Buffer): Buffer {
  const name = sequence(tagged(0x31, sequence(COMMON_NAME, tagged(0x0c, Buffer.from('localhost')))))
  const validity = sequence(tagged(0x17, Buffer.from('200101000000Z')), tagged(0x17, Buffer.from('491231235959Z')))
  const names = sequence(tagged(0x82, Buffer.from('localhost')), tagged(0x87, Buffer.from([127, 0, 0, 1])))
  const extensions = tagged(0xa3, sequence(sequence(SUBJECT_ALT_NAME, tagged(0x04, names))))
  return sequence(tagged(0xa0, tagged(0x02, Buffer.from([2]))), SERIAL, ECDSA_SHA256, name, validity, name, publicKey, extensions)
}

const tagged = (tag: number, ...parts: Buffer[]): Buffer => {
  const content = Buffer.concat(parts)
  return Buffer.concat([Buffer.from([tag, ...lengthOf(content.length)]), content])
}
const sequence = (...parts: Buffer[]): Buffer => tagged(0x30, ...parts)
const lengthOf = (bytes: number): number[] => (bytes < 128 ? [bytes] : [0x82, bytes >> 8, bytes & 0xff])

const SERIAL = tagged(0x02, Buffer.from([1]))
const COMMON_NAME = tagged(0x06, Buffer.from([0x55, 4, 3]))
const SUBJECT_ALT_NAME = tagged(0x06, Buffer.from([0x55, 0x1d, 0x11]))
const ECDSA_SHA256 = sequence(tagged(0x06, Buffer.from([0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 2])))
