/** What a soak of half an hour must carry: fewer orders or kills prove less than was promised. */
const HALF_AN_HOUR = { minutes: 30, orders: 5_000, kills: 200 }

/** What a soak of so many minutes lacks, as sentences. Orders that settled count, and kills that met work under way. */
export function shortfallsOf({ minutes, orders, kills }: { minutes: number; orders: number; kills: number }): string[] {
  const least = (of: 'orders' | 'kills'): number => Math.floor((HALF_AN_HOUR[of] * minutes) / HALF_AN_HOUR.minutes)
  return [
    ...(orders < least('orders') ? [`${orders} orders settled, and ${minutes} min must carry ${least('orders')}`] : []),
    ...(kills < least('kills') ? [`${kills} kills met work under way, and ${minutes} min must carry ${least('kills')}`] : []),
  ]
}
