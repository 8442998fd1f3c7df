import { expect, test } from 'vitest'
import { SCOPES } from '../../ports/audit.ts'
import { tools } from './tools.ts'

// A client keeps what it once learned of a tool, so a changed definition is a decision: `npx vitest run -u` on this file writes it down.
test.each(tools.map((tool) => [tool.name, tool] as const))('the definition of %s is the one that was agreed on', async (name, tool) => {
  const { title, description, scope, effect, inputJson, outputJson } = tool
  const text = `${JSON.stringify({ name, title, description, scope, effect, inputSchema: inputJson, outputSchema: outputJson }, null, 2)}\n`
  await expect(text).toMatchFileSnapshot(`./snapshots/${name}.txt`)
})

const size = (tool: (typeof tools)[number]): number =>
  JSON.stringify([tool.name, tool.title, tool.description, tool.inputJson, tool.outputJson]).length / 4

test('no tool costs over 400 tokens, and all of them under 4,000', () => {
  const sizes = Object.fromEntries(tools.map((tool) => [tool.name, Math.ceil(size(tool))]))
  expect(Object.entries(sizes).filter(([, tokens]) => tokens > 400)).toEqual([])
  expect(Object.values(sizes).reduce((a, b) => a + b, 0)).toBeLessThan(4_000)
})

test('names and scopes are those of the contract, and no tool takes a credential', () => {
  expect(Object.fromEntries(tools.map((t) => [t.name, t.scope]))).toEqual({
    drain_dlq: 'dlq.admin',
    find_failed_orders: 'metrics.read',
    get_dlq_depth: 'metrics.read',
    get_order_status: 'orders.read',
    get_sla_metrics: 'metrics.read',
    replay_dlq_message: 'dlq.replay',
    retry_failed_sync: 'outbox.retry',
    trace_order: 'orders.read',
  })
  for (const tool of tools) {
    expect(SCOPES).toContain(tool.scope)
    const named = Object.keys(tool.input.shape).filter((key) => /token|secret|password|api_?key/.test(key) && key !== 'plan_token')
    expect(named).toEqual([])
  }
})
