/** The parts of the hub that work through what waits; each is a process of its own, or all run together. */
export const SERVICES = ['subscriber', 'worker', 'reconciler'] as const
export type Service = (typeof SERVICES)[number]
