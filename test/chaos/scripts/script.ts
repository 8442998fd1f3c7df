import type { Expected } from '../judge.ts'
import type { Plan } from '../plan.ts'
import type { Stage, StageOptions } from '../stage.ts'

/** What a kind of scenario does. It throws when its own assertion fails; the auditor judges what it leaves behind, unless it answers
 * null: then its own assertions are all there is, because the orders cannot reach their target. */
export interface Script {
  stage?: (plan: Plan) => StageOptions
  run(stage: Stage): Promise<Expected | null>
}
