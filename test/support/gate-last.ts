import { BaseSequencer, type TestSpecification } from 'vitest/node'

/** Runs the gate of the chaos matrix after everything else: it fills the machine by itself, and its scenarios wait for leases in real time. */
export class GateLast extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const sorted = await super.sort(files)
    return [...sorted.filter((file) => !isGate(file)), ...sorted.filter(isGate)]
  }
}

const isGate = ({ moduleId }: TestSpecification): boolean => moduleId.endsWith('test/chaos/gate.test.ts')
