import type { Mutant, Plan, Victim } from './plan.ts'

/** What must turn red on a mutant, and the scenario that shows it; the same scenario is green without the mistake. */
export interface MutantCase {
  mutant: Mutant
  /** Of each group a breach must be found: the ledgers' word for an invariant and its number are one group. */
  mustBreak: readonly (readonly string[])[]
  /** Tried one after the other until the auditor says so: a mistake of timing does not show on every seed. */
  plans: readonly Plan[]
  control: Plan
}

interface Exposed {
  script: string
  row: string
  victim?: Victim
  faults?: string[]
}

const atSend = (point: Victim['point'], action: Victim['action']): Victim => ({
  role: 'worker',
  point,
  nth: 2,
  action,
  system: 'mercadolibre',
})

const EXPOSED: Record<Mutant, Exposed & Pick<MutantCase, 'mustBreak'>> = {
  'ref-batch-txn': {
    script: 'matrix',
    row: 'K10',
    victim: { ...atSend('after-response-before-finish', 'kill'), system: null },
    mustBreak: [['doubled', 'I2'], ['I8']],
  },
  'no-settle': { script: 'acceptedLate', row: 'M2', mustBreak: [['doubled', 'I2']] },
  'no-fence': { script: 'matrix', row: 'R2', victim: { ...atSend('after-response-before-finish', 'stop'), nth: 1 }, mustBreak: [['I11']] },
  'dedup-before-enqueue': {
    script: 'matrix',
    row: 'K2',
    victim: { role: 'receiver', point: 'inside-transaction', nth: 1, action: 'kill', system: 'mercadolibre' },
    mustBreak: [['I1', 'lost']],
  },
  'arrival-wins': { script: 'permutedStates', row: 'W2', mustBreak: [['I4', 'unequal']] },
  'swallow-audit': { script: 'auditRefused', row: 'A4', mustBreak: [['I7']] },
  'retry-4xx': { script: 'permanentErrors', row: 'M6', mustBreak: [['I10']] },
}

const SEEDS = 3

export function mutantCases(): MutantCase[] {
  return (Object.keys(EXPOSED) as Mutant[]).map((mutant, at) => {
    const exposed = EXPOSED[mutant]
    const plans = Array.from({ length: SEEDS }, (_, i) => planOf(mutant, exposed, 500 + at * 10 + i))
    const control = { ...planOf(null, exposed, 500 + at * 10), id: `control-of-${mutant}` }
    return { mutant, mustBreak: exposed.mustBreak, plans, control }
  })
}

function planOf(mutant: Mutant | null, { script, row, victim, faults }: Exposed, seed: number): Plan {
  return {
    id: `${mutant ?? 'control'}-${seed}`,
    row,
    title: `${mutant ?? 'no mutant'} under ${script}${victim ? `, ${victim.action} ${victim.point}` : ''}`,
    script,
    seed,
    profile: 'naive',
    work: 'creation',
    victim: victim ?? null,
    faults: faults ?? [],
    mutant,
  }
}
