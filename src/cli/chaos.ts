import type { Command } from 'commander'
import { z } from 'zod'
import { countFrom } from './count.ts'
import { type CliContext, CliError, conclude, type Register } from './context.ts'
import { ownHub } from './own-hub.ts'
import { type Call, simulatorApi, type SimulatorApi, SimulatorRefusal } from './seed/simulator-api.ts'

const SIMULATORS = ['meli-sim', 'paris-mock', 'odoo-sim'] as const
type Simulator = (typeof SIMULATORS)[number]

/** `rosh chaos`: fault knobs of the simulators of a running demo, and nothing else. */
export const registerChaos: Register = (program, context) => {
  const chaos = program.command('chaos').description('make the simulators of a running demo fail; never touches the hub itself')
  registerList(chaos, context)
  registerAdd(chaos, context)
  registerClear(chaos, context)
}

function registerList(chaos: Command, context: CliContext): void {
  chaos
    .command('list')
    .description('list the faults in force and how often each fired')
    .option('--json', 'print one JSON object')
    .action(async (options: { json?: boolean }) => {
      const faults = await withSimulators(context, async (api, simulators) =>
        Promise.all(
          simulators.map(async (on) => ({ simulator: on, ...(await api.ask(Listed, { on, method: 'GET', path: '/admin/faults' })) })),
        ),
      )
      const lines = faults.flatMap(({ simulator, faults: rules }) =>
        rules.map(
          ({ fault, match, hits, ...more }) =>
            `  ${simulator.padEnd(11)} ${fault.padEnd(18)} fired ${hits} times ${wordsOf({ ...match, ...more })}`,
        ),
      )
      conclude(context, options.json, {
        data: { simulators: faults },
        say: () => {
          for (const line of lines.length === 0 ? ['no fault is in force'] : lines) context.print(line.trimEnd())
        },
      })
    })
}

const Rule = z.looseObject({ fault: z.string(), hits: z.number(), match: z.record(z.string(), z.string()) })
const Listed = z.object({ faults: z.array(Rule) })

const wordsOf = (fields: Record<string, unknown>): string =>
  Object.entries(fields)
    .map(([name, value]) => `${name}=${String(value)}`)
    .join(' ')

interface AddOptions {
  path?: string
  method?: string
  ms?: string
  status?: string
  times?: string
  retryAfter?: string
  json?: boolean
}

function registerAdd(chaos: Command, context: CliContext): void {
  chaos
    .command('add')
    .argument('<simulator>', SIMULATORS.join(', '))
    .argument('<fault>', 'status, latency, hang, accept-then-hang, reset, html, late, lost-webhook, duplicate-webhook ...')
    .option('--path <regular expression>', 'only requests to such a path')
    .option('--method <method>', 'only such requests')
    .option('--ms <milliseconds>', 'of latency, late, hang and the like')
    .option('--status <code>', 'of the fault status; default 503')
    .option('--retry-after <value>', 'header of the answer')
    .option('--times <count>', 'ends after so many; without it, it lasts until `rosh chaos clear`')
    .option('--json', 'print one JSON object')
    .description('add one fault to a simulator')
    .action(async (simulator: string, fault: string, options: AddOptions) => {
      const on = simulatorNamed(simulator)
      const numbers = {
        ms: optionalCount('--ms', options.ms),
        status: optionalCount('--status', options.status),
        times: optionalCount('--times', options.times),
      }
      const match = { path: options.path, method: options.method }
      const body = { fault, match: present(match), ...present({ ...numbers, retryAfter: options.retryAfter }) } as Call['body']
      await withSimulators(context, (api) => api.text({ on, method: 'POST', path: '/admin/faults', body: body ?? null }))
      const say = (): void => context.print(`${on} has the fault ${fault}; \`rosh chaos clear\` takes it away`)
      conclude(context, options.json, { data: { simulator: on, fault }, say })
    })
}

function registerClear(chaos: Command, context: CliContext): void {
  chaos
    .command('clear')
    .argument('[simulator]', `${SIMULATORS.join(', ')}; all without it`)
    .description('take the faults away, those of the seeded incidents included')
    .option('--json', 'print one JSON object')
    .action(async (named: string | undefined, options: { json?: boolean }) => {
      const cleared = await withSimulators(context, async (api, simulators) => {
        const which = named === undefined ? simulators : [simulatorNamed(named)]
        for (const on of which) await api.text({ on, method: 'DELETE', path: '/admin/faults' })
        return which
      })
      conclude(context, options.json, { data: { cleared }, say: () => context.print(`no fault is left at ${cleared.join(', ')}`) })
    })
}

function simulatorNamed(name: string): Simulator {
  const known = SIMULATORS.find((one) => one === name)
  if (known) return known
  throw new CliError('bad-input', `<simulator>: "${name}" is none; there are ${SIMULATORS.join(', ')}`)
}

const MOST = 999_999_999

function optionalCount(option: string, text: string | undefined): number | undefined {
  return text === undefined ? undefined : countFrom(option, text, [0, MOST])
}

function present(fields: Record<string, string | number | undefined>): Record<string, string | number> {
  return Object.fromEntries(Object.entries(fields).filter((entry): entry is [string, string | number] => entry[1] !== undefined))
}

/** Runs `work` on the simulators that stand in here; a real system has no such knobs. */
async function withSimulators<T>(context: CliContext, work: (api: SimulatorApi, simulators: Simulator[]) => Promise<T>): Promise<T> {
  const config = ownHub(context)
  const isSimulated = { 'meli-sim': config.mercadolibre.simulated, 'paris-mock': config.paris.simulated, 'odoo-sim': config.odoo.simulated }
  const simulators = SIMULATORS.filter((name) => isSimulated[name])
  if (simulators.length < SIMULATORS.length)
    throw new CliError('real-system', 'a system of this configuration is real; faults are made at simulators only')
  const api = simulatorApi(config, context.signal)
  try {
    return await work(api, simulators)
  } catch (error) {
    if (error instanceof SimulatorRefusal && (error.status === 400 || error.status === 422)) throw new CliError('bad-input', error.message)
    throw error
  } finally {
    await api.close()
  }
}
