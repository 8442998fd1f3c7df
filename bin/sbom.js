#!/usr/bin/env node
// What `npm run sbom` prints: the packages that ship, from package-lock.json, as CycloneDX 1.5. Our own, because `npm sbom --omit=dev` leaves out
// packages that a development package wants too (zod among them). The same lockfile gives the same text.
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { root } from './launch.js'

/**
 * @param {{ name: string, version: string, packages: Record<string, { version?: string, integrity?: string, license?: string, dev?: boolean, link?: boolean, optional?: boolean }> }} lock
 */
export function sbomOf(lock) {
  const shipped = Object.entries(lock.packages).filter(([path, { dev, link }]) => path !== '' && !dev && !link)
  const components = shipped.map(([path, entry]) =>
    componentOf(path.slice(path.lastIndexOf('node_modules/') + 'node_modules/'.length), entry),
  )
  const unique = [...new Map(components.map((one) => [one.purl, one])).values()].sort((a, b) => (a.purl < b.purl ? -1 : 1))
  return {
    $schema: 'http://cyclonedx.org/schema/bom-1.5.schema.json',
    bomFormat: 'CycloneDX',
    specVersion: '1.5',
    serialNumber: `urn:uuid:${uuidOf(JSON.stringify(unique))}`,
    version: 1,
    metadata: { component: { type: 'application', 'bom-ref': 'root', name: lock.name, version: lock.version } },
    components: unique,
  }
}

function componentOf(name, { version, integrity, license, optional }) {
  const purl = `pkg:npm/${name.replace(/^@/, '%40')}@${version}`
  const [algorithm, digest] = (integrity ?? '').split('-')
  return {
    type: 'library',
    'bom-ref': purl,
    name,
    version,
    purl,
    scope: optional ? 'optional' : 'required',
    ...(algorithm === 'sha512' && digest ? { hashes: [{ alg: 'SHA-512', content: Buffer.from(digest, 'base64').toString('hex') }] } : {}),
    ...(license ? { licenses: [/ |\(/.test(license) ? { expression: license } : { license: { id: license } }] } : {}),
  }
}

// Of the content, in the form of a version 5 UUID.
function uuidOf(text) {
  const hex = createHash('sha256').update(text).digest('hex')
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-5${hex.slice(13, 16)}-a${hex.slice(17, 20)}-${hex.slice(20, 32)}`
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href)
  console.log(JSON.stringify(sbomOf(JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8'))), null, 2))
