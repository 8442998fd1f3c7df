import type { Door } from './door.ts'
import { answersDoor } from './doors/answers.ts'
import { normalisersDoor } from './doors/normalisers.ts'
import { webhooksDoor } from './doors/webhooks.ts'

/** Every place where something from outside comes in. `everyTest`: inputs of one seed in a test run; few where one costs a database or a connection. */
export const DOORS: readonly { door: Door; everyTest: number }[] = [
  { door: webhooksDoor(), everyTest: 300 },
  { door: normalisersDoor, everyTest: 150 },
  { door: answersDoor, everyTest: 150 },
]
