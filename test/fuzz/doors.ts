import type { Door } from './door.ts'
import { answersDoor } from './doors/answers.ts'
import { commandLineDoor } from './doors/command-line.ts'
import { configurationDoor } from './doors/configuration.ts'
import { mcpDoor } from './doors/mcp.ts'
import { normalisersDoor } from './doors/normalisers.ts'
import { receiverDoor } from './doors/receiver.ts'
import { socketsDoor } from './doors/sockets.ts'
import { webhooksDoor } from './doors/webhooks.ts'

/** Every place where something from outside comes in. `everyTest`: inputs of one seed in a test run; few where one costs a database or a connection. */
export const DOORS: readonly { door: Door; everyTest: number }[] = [
  { door: webhooksDoor(), everyTest: 300 },
  { door: normalisersDoor, everyTest: 150 },
  { door: answersDoor, everyTest: 150 },
  { door: configurationDoor, everyTest: 80 },
  { door: mcpDoor, everyTest: 60 },
  { door: commandLineDoor, everyTest: 60 },
  { door: receiverDoor, everyTest: 60 },
  { door: socketsDoor, everyTest: 40 },
]
