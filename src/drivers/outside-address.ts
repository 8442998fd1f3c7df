import { lookup as systemLookup } from 'node:dns/promises'
import { BlockList, isIP, type LookupFunction } from 'node:net'
import { IntegrationError } from '../core/integration-error.ts'

/** What an origin that arrived as data, not from the operator, is held to. */
export interface OutsideRules {
  /** Ports it may name; 443 unless told. */
  ports?: readonly number[]
  /** Every address of a name; the system's resolver unless told. */
  resolve?: (name: string) => Promise<string[]>
}

/** Throws `rejected` for an origin that is not https, names a port or credentials of its own, or is a private address by itself. */
export function checkOutsideOrigin(origin: string, { ports = [443] }: OutsideRules): void {
  const url = URL.canParse(origin) ? new URL(origin) : undefined
  if (!url) throw refused('the address is none')
  if (url.protocol !== 'https:') throw refused('it is not https')
  if (url.username !== '' || url.password !== '') throw refused('it carries credentials')
  const port = url.port === '' ? 443 : Number(url.port)
  if (!ports.includes(port)) throw refused(`port ${port} is not on the list`)
  const host = url.hostname.replace(/^\[|\]$/g, '')
  if (isIP(host) !== 0 && !isPublic(host)) throw refused('it is a private address')
}

/**
 * The look-up of one connection: the name is resolved once, every answer is checked, and the connection goes to what was checked. A name that
 * also has one private address is refused whole, or the order of the answers would decide.
 */
export function outsideLookup({ resolve = resolveAll }: OutsideRules): LookupFunction {
  return (name, options, answer) => {
    resolve(name).then(
      (addresses) => {
        if (addresses.length === 0) return answer(Object.assign(new Error('no address'), { code: 'ENOTFOUND' }), '', 0)
        if (!addresses.every(isPublic)) return answer(refused('its name leads to a private address'), '', 0)
        const found = addresses.map((address) => ({ address, family: isIP(address) }))
        if (options.all) answer(null, found)
        else answer(null, found[0]?.address ?? '', found[0]?.family)
      },
      (error: NodeJS.ErrnoException) => answer(error, '', 0),
    )
  }
}

async function resolveAll(name: string): Promise<string[]> {
  return (await systemLookup(name, { all: true })).map(({ address }) => address)
}

function refused(why: string): IntegrationError {
  return new IntegrationError('rejected', { summary: `an address that arrived as data is not called: ${why}` })
}

// IANA's special-purpose registries. Of IPv6 only global unicast is public, which leaves out mapped, translated, link-local and unique local ones.
const PRIVATE_V4 = [
  '0.0.0.0/8',
  '10.0.0.0/8',
  '100.64.0.0/10',
  '127.0.0.0/8',
  '169.254.0.0/16',
  '172.16.0.0/12',
  '192.0.0.0/24',
  '192.0.2.0/24',
  '192.88.99.0/24',
  '192.168.0.0/16',
  '198.18.0.0/15',
  '198.51.100.0/24',
  '203.0.113.0/24',
  '224.0.0.0/4',
  '240.0.0.0/4',
]
const GLOBAL_V6 = ['2000::/3']
const SPECIAL_V6 = ['2001::/23', '2001:db8::/32', '2002::/16', '3fff::/20']

function blockList(blocks: readonly string[]): BlockList {
  const list = new BlockList()
  for (const block of blocks) {
    const [address = '', bits] = block.split('/')
    list.addSubnet(address, Number(bits), isIP(address) === 4 ? 'ipv4' : 'ipv6')
  }
  return list
}

const privateV4 = blockList(PRIVATE_V4)
const globalV6 = blockList(GLOBAL_V6)
const specialV6 = blockList(SPECIAL_V6)

function isPublic(address: string): boolean {
  if (isIP(address) === 4) return !privateV4.check(address, 'ipv4')
  return isIP(address) === 6 && globalV6.check(address, 'ipv6') && !specialV6.check(address, 'ipv6')
}
