import { z } from 'zod'

const Profile = z.enum(['naive', 'external-ref-unique', 'idempotent-key'])

/** Knobs of the simulator. Kept in memory: a restart begins with the start options again. */
export const Settings = z.strictObject({
  expiresInSeconds: z.number().int().min(0).max(31_536_000).describe('expires_in of the access tokens issued from now on'),
  pkceRequired: z.boolean().describe('refuse an authorization without code_challenge'),
  oauthErrorText: z.enum(['message', 'error_description']).describe('which field carries the text of an OAuth error; the vendor uses both'),
  notificationIds: z.enum(['never', 'always', 'alternate']).describe('whether notifications carry _id'),
  notificationActions: z.boolean().describe('whether orders_v2 notifications carry actions[]'),
  retryScheduleMs: z
    .array(z.number().int().min(0).max(3_600_000))
    .min(0)
    .max(7)
    .describe('pause before attempt 2, 3, ...; 7 entries = 8 attempts'),
  ackTimeoutMs: z.number().int().min(1).max(60_000).describe('an acknowledgement later than this counts as a failure'),
  notificationDelayMs: z.number().int().min(0).max(3_600_000).describe('pause before the first attempt'),
  permuteWindowMs: z.number().int().min(0).max(600_000).describe('first attempts are spread over this window, which permutes them'),
  duplicateNotifications: z.number().int().min(1).max(100).describe('copies sent of each notification'),
  lostNotifications: z.number().min(0).max(1).describe('share of notifications never sent (seeded)'),
  missedFeedListsLost: z.boolean().describe('false: lost ones are not in the missed feed either, as after a disabled topic'),
  disabledTopics: z.array(z.string()).describe('topics switched off "by fallback": not sent and not in the missed feed'),
  propagationMs: z.number().int().min(0).max(3_600_000).describe('a new order or shipment answers 404 (204 in the list) this long'),
  stockApplyMs: z.number().int().min(0).max(600_000).describe('how late a write to the selling address (204) shows in reads'),
  clpDecimals: z.enum(['refuse', 'accept']).describe('CLP has no decimals: refuse amounts with a fraction'),
})
export type Settings = z.infer<typeof Settings>

export const defaultSettings: Settings = {
  expiresInSeconds: 21_600,
  pkceRequired: false,
  oauthErrorText: 'message',
  notificationIds: 'alternate',
  notificationActions: false,
  retryScheduleMs: [250, 500, 1_000, 2_000, 4_000, 8_000, 15_000],
  ackTimeoutMs: 500,
  notificationDelayMs: 0,
  permuteWindowMs: 0,
  duplicateNotifications: 1,
  lostNotifications: 0,
  missedFeedListsLost: true,
  disabledTopics: [],
  propagationMs: 0,
  stockApplyMs: 200,
  clpDecimals: 'refuse',
}

/** How the ledger treats a repeated create, and how late search shows it. */
export const LedgerProfile = z.strictObject({
  profile: Profile,
  searchLagMs: z.number().int().min(0).max(3_600_000),
  processingMs: z.number().int().min(0).max(600_000),
})
export type LedgerProfile = z.infer<typeof LedgerProfile>

export const defaultLedgerProfile: LedgerProfile = { profile: 'naive', searchLagMs: 300, processingMs: 0 }
