import { defineConfig } from 'vitest/config'
import { ClosingLine } from './test/support/closing-line.ts'
import { GateLast } from './test/support/gate-last.ts'

export default defineConfig({
  test: {
    include: ['src/**/*.test.ts', 'simulators/**/*.test.ts', 'test/**/*.test.ts'],
    testTimeout: 60_000,
    hookTimeout: 60_000,
    maxWorkers: 2,
    maxConcurrency: 2,
    sequence: { sequencer: GateLast },
    globalSetup: ['test/support/global-setup.ts'],
    reporters: ['default', new ClosingLine()],
    coverage: {
      provider: 'v8',
      include: ['src/**/*.ts'],
      exclude: ['src/**/*.test.ts'],
      // A red run shows its coverage too.
      reportOnFailure: true,
      thresholds: { lines: 85, branches: 85 },
    },
  },
})
