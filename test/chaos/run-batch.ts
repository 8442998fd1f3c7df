// Runs the scenarios that it is sent, one after the other, and answers each with its record. `run-all.ts` starts it.
import { Plan } from './plan.ts'
import { runPlan } from './run-plan.ts'

process.on('message', (message: { plan: unknown; commit: string }) => {
  void runPlan(Plan.parse(message.plan), message.commit).then((record) => process.send?.(record))
})
process.once('disconnect', () => process.exit(0))
