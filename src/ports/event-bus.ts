/** Wakes workers; carries ids only. Losing every message loses nothing: a timed sweep finds what it lost. */
export interface EventBus {
  publish(topic: BusTopic): Promise<void>
  /** Calls `wake` for every message, and once after each reconnect. */
  subscribe(topic: BusTopic, wake: () => void): Promise<{ close(): Promise<void> }>
}

export type BusTopic = 'inbound' | 'outbound' | 'collect'
