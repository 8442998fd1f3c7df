import { uuidv7 } from 'uuidv7'
import type { Random } from '../ports/random.ts'

export const systemRandom: Random = { next: Math.random, uuid: uuidv7 }
