import type { Reporter, SerializedError, TestCase, TestModule } from 'vitest/node'

type Counts = { passed: number; failed: number; skipped: number }

/**
 * Ends a run with a line for each failure, each test that needed a second try (and each skip, where everything must run), and the one plain
 * line that machines read:
 * `12 passed, 0 failed`, with `, 3 skipped` when there are any.
 */
export class ClosingLine implements Reporter {
  #lines: string[] = []
  #armed = false

  onTestRunEnd(modules: readonly TestModule[], unhandledErrors: readonly SerializedError[]): void {
    this.#lines = [...notable(modules), '', closingLine(countTests(modules, unhandledErrors.length))]
    if (this.#armed) return
    this.#armed = true
    // Coverage tables and teardown messages come after the run: only at exit is a line sure to be the last one.
    process.once('exit', () => process.stdout.write(`\n${this.#lines.join('\n')}\n`))
  }
}

function closingLine({ passed, failed, skipped }: Counts): string {
  return `${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`
}

// A file that cannot be loaded, a failed hook and an error outside of any test fail the run without a failed test: each counts.
function countTests(modules: readonly TestModule[], unhandledErrors: number): Counts {
  const counts: Counts = { passed: 0, failed: unhandledErrors, skipped: 0 }
  for (const module of modules) {
    counts.failed += module.errors().length
    for (const suite of module.children.allSuites()) counts.failed += suite.errors().length
    for (const test of module.children.allTests()) {
      const { state } = test.result()
      if (state === 'passed') counts.passed += 1
      else if (state === 'failed') counts.failed += 1
      else counts.skipped += 1
    }
  }
  return counts
}

// Where only the end of a log is kept, these lines are all that says what went wrong.
function notable(modules: readonly TestModule[]): string[] {
  return modules.flatMap((module) => [
    ...module.errors().map((error) => `failed: ${module.moduleId}: ${firstLine(error.message)}`),
    ...[...module.children.allSuites()].flatMap((suite) =>
      suite.errors().map((error) => `failed: ${suite.fullName}: ${firstLine(error.message)}`),
    ),
    ...[...module.children.allTests()].flatMap((test) => notableTest(test)),
  ])
}

function notableTest(test: TestCase): string[] {
  const { state, errors } = test.result()
  const name = `${test.module.relativeModuleId} > ${test.fullName}`
  if (state === 'failed') return [`failed: ${name}: ${firstLine(errors?.[0]?.message ?? 'no message')}`]
  if (state === 'passed' && (test.diagnostic()?.retryCount ?? 0) > 0) return [`passed at a second try: ${name}`]
  return state === 'skipped' && process.env.REQUIRE_ALL === '1' ? [`skipped: ${name}`] : []
}

const firstLine = (message: string): string => message.split('\n', 1)[0]?.slice(0, 300) ?? ''
