import * as vitest from 'vitest'

type Context = Pick<vitest.TestContext, 'skip'>
type Run = (context: Context) => unknown

/** One promise of a suite: the sentence of its test, and the test itself. */
export interface Check {
  promise: string
  /** Rejects when the promise is broken. */
  run(): Promise<'kept' | 'skipped'>
}

/** A suite outside vitest's own run, so that a test may watch it turn red. */
export interface Suite {
  checks: Check[]
  close(): Promise<void>
}

interface Scope {
  outer: Scope | null
  setUps: (() => unknown)[]
  beforeEachCheck: (() => unknown)[]
  ready: Promise<void> | null
}

interface Recorder {
  scope: Scope
  checks: Check[]
  tearDowns: (() => unknown)[]
}

let recorder: Recorder | null = null

/** Collects what `register` would have given to vitest. */
export function suiteOf(register: () => void): Suite {
  const mine: Recorder = { scope: scopeIn(null), checks: [], tearDowns: [] }
  recorder = mine
  try {
    register()
  } finally {
    recorder = null
  }
  return {
    checks: mine.checks,
    async close() {
      for (const tearDown of mine.tearDowns.reverse()) await tearDown()
    },
  }
}

function scopeIn(outer: Scope | null): Scope {
  return { outer, setUps: [], beforeEachCheck: [], ready: null }
}

export function describe(name: string, body: () => void): void {
  if (!recorder) {
    vitest.describe(name, body)
    return
  }
  const { scope } = recorder
  recorder.scope = scopeIn(scope)
  body()
  recorder.scope = scope
}

export function beforeAll(setUp: () => unknown, timeoutMs?: number): void {
  if (recorder) recorder.scope.setUps.push(setUp)
  else vitest.beforeAll(async () => void (await setUp()), timeoutMs)
}

export function beforeEach(setUp: () => unknown): void {
  if (recorder) recorder.scope.beforeEachCheck.push(setUp)
  else vitest.beforeEach(async () => void (await setUp()))
}

export function afterAll(tearDown: () => unknown): void {
  if (recorder) recorder.tearDowns.push(tearDown)
  else vitest.afterAll(async () => void (await tearDown()))
}

export function test(promise: string, run: Run): void {
  if (recorder) recorder.checks.push(checkIn(recorder.scope, promise, run))
  else vitest.test(promise, run)
}

/** One test a row; `$name` in the sentence stands for the row's name. */
export function testEach<Row extends { name: string }>(
  rows: readonly Row[],
  promise: string,
  run: (row: Row, context: Context) => unknown,
): void {
  for (const row of rows) test(promise.replace('$name', row.name), (context) => run(row, context))
}

class Skipped extends Error {}

function checkIn(scope: Scope, promise: string, run: Run): Check {
  const skip = (condition?: boolean | string): void => {
    if (condition !== false) throw new Skipped()
  }
  return {
    promise,
    async run() {
      try {
        await prepare(scope)
        await run({ skip } as Context)
        return 'kept'
      } catch (error) {
        if (error instanceof Skipped) return 'skipped'
        throw error
      }
    },
  }
}

async function prepare(scope: Scope): Promise<void> {
  if (scope.outer) await prepare(scope.outer)
  scope.ready ??= inTurn(scope.setUps)
  await scope.ready
  await inTurn(scope.beforeEachCheck)
}

async function inTurn(steps: readonly (() => unknown)[]): Promise<void> {
  for (const step of steps) await step()
}
