import type { Config } from './config.ts'
import type { KeyRing } from './drivers/postgres/sealed-column.ts'
import { homeKeys } from './home.ts'

/** The keys that wrap the data keys of this home, as they are now. */
export function keyRingOf(config: Config): KeyRing {
  const [newest, ...retired] = homeKeys(config.home).map(({ id, key }) => ({ kekId: id, key: Buffer.from(key, 'base64url') }))
  if (!newest) throw new Error(`${config.home} holds no key-encryption key`)
  return { ...newest, retired }
}
