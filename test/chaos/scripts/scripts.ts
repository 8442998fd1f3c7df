import * as busyDatabase from './busy-database.ts'
import * as database from './database.ts'
import { acceptedLate } from './deliveries.ts'
import * as erp from './erp.ts'
import { greedySenders } from './greedy-senders.ts'
import * as keys from './keys.ts'
import * as marketplaces from './marketplaces.ts'
import { matrix } from './matrix.ts'
import * as nodes from './nodes.ts'
import * as operators from './operators.ts'
import { outage } from './outage.ts'
import { permanentErrors } from './permanent-errors.ts'
import type { Script } from './script.ts'
import * as tokens from './tokens.ts'
import { unreadLog } from './unread-log.ts'
import { permutedStates } from './webhook-orders.ts'
import * as webhooks from './webhooks.ts'

/** Every kind of scenario by the name that plans call it. */
export const SCRIPTS: Record<string, Script> = {
  matrix,
  acceptedLate,
  permanentErrors,
  permutedStates,
  restarted: database.restarted,
  lockedOut: busyDatabase.lockedOut,
  poolExhausted: busyDatabase.poolExhausted,
  statementTooLong: busyDatabase.statementTooLong,
  readOnly: database.readOnly,
  diskFull: database.diskFull,
  staleSnapshot: database.staleSnapshot,
  bigNumbers: database.bigNumbers,
  manyRows: database.manyRows,
  passwordChanged: database.passwordChanged,
  erpAway: erp.erpAway,
  lateCommit: erp.lateCommit,
  strangeRecords: erp.strangeRecords,
  betweenPolls: erp.betweenPolls,
  erpRestored: erp.erpRestored,
  twoCompanies: erp.twoCompanies,
  askedToWait: marketplaces.askedToWait,
  outage,
  strangeAnswers: marketplaces.strangeAnswers,
  blackHole: marketplaces.blackHole,
  wrongAddress: marketplaces.wrongAddress,
  oneBad: marketplaces.oneBad,
  manyWorkers: nodes.manyWorkers,
  wrongClock: nodes.wrongClock,
  poisonous: nodes.poisonous,
  migratedUnderLoad: nodes.migratedUnderLoad,
  twoBuilds: nodes.twoBuilds,
  olderAlone: nodes.olderAlone,
  migratorDies: nodes.migratorDies,
  greedySenders,
  unreadLog,
  auditLocked: operators.auditLocked,
  auditRefused: operators.auditRefused,
  replaysInFlight: operators.replaysInFlight,
  operatorDies: operators.operatorDies,
  injectedWords: operators.injectedWords,
  webhookKeyRotated: keys.webhookKeyRotated,
  encryptionKeyRotated: keys.encryptionKeyRotated,
  loopingAgent: operators.loopingAgent,
  stalePlan: operators.stalePlan,
  tokenEnds: tokens.tokenEnds,
  twentyRefreshes: tokens.twentyRefreshes,
  diedBeforeSave: tokens.diedBeforeSave,
  invalidGrant: tokens.invalidGrant,
  receiverEnds: webhooks.receiverEnds,
  duplicates: webhooks.duplicates,
  dayLate: webhooks.dayLate,
  conflicting: webhooks.conflicting,
  timestamps: webhooks.timestamps,
  hostileBodies: webhooks.hostileBodies,
  lostForGood: webhooks.lostForGood,
  shipmentLostForGood: webhooks.shipmentLostForGood,
  toldBeforeAnswered: webhooks.toldBeforeAnswered,
}
