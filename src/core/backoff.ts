// 12 sends over about 28 hours: an outage of hours is waited out, not given up on.
const SCHEDULE_S = [5, 30, 120, 480, 1_500, 3_600, 7_200, 14_400, 18_000, 23_400, 30_600]
const JITTER = 0.15

/**
 * Delay before the next try, in milliseconds: monotone in `tries`, bounded, jittered upwards by at most 15 %.
 * `random` is in [0, 1). `scale` shortens the whole schedule (demo, tests).
 */
export function backoffMs(tries: number, random: number, scale = 1): number {
  const step = SCHEDULE_S[Math.min(Math.max(Math.trunc(tries), 1), SCHEDULE_S.length) - 1] ?? 5
  return Math.round(step * 1000 * scale * (1 + JITTER * random))
}
