/** Kinds of data with a time of their own: buyers' fields, bytes of webhooks, words of other systems, and looks of the hub that found nothing new. */
export const RETENTION_CLASSES = ['personal', 'raw', 'other-text', 'unchanged'] as const
export type RetentionClass = (typeof RETENTION_CLASSES)[number]

/** What is due of a class: how many rows, and their ids from `low` to `high`. */
export interface RetentionDue {
  count: number
  low: string
  high: string
}

/** Lets go what has stood long enough. What is still worked on is never due. */
export interface Retention {
  /** What was last touched more than `days` ago, at least 1. Null: nothing is due. */
  due(of: RetentionClass, days: number): Promise<RetentionDue | null>
  /** Lets go what is due with an id from `low` to `high`, in one transaction, for good; answers how many. Safe to run again. */
  letGo(of: RetentionClass, days: number, window: { low: string; high: string }): Promise<number>
}
