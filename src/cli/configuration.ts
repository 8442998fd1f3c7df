import { channelProblems } from '../channel-settings.ts'
import { type Config, ConfigError, loadConfig } from '../config.ts'
import { homeFolder, readInstance } from '../home.ts'
import type { CliContext } from './context.ts'

/** The configuration with everything checked; demo mode only for `rosh up --demo` and what speaks to a running demo. */
export function configOf(context: CliContext, options: { demo: boolean }): Config {
  const config = loadConfig(context.env, options)
  const problems = channelProblems(config)
  if (problems.length > 0) throw new ConfigError(problems)
  for (const warning of config.warnings) context.progress(`warning: ${warning}`)
  return config
}

const PORT_VARIABLES: Record<string, string> = {
  hub: 'HTTP_PORT',
  'paris-mock': 'PARIS_MOCK_PORT',
  'meli-sim': 'MELI_SIM_PORT',
  'odoo-sim': 'ODOO_SIM_PORT',
}

/** The configuration of the hub that runs in this home: its mode, and the ports it said it has where no variable says otherwise. */
export function runningConfig(context: CliContext): Config {
  const instance = readInstance(homeFolder(context.env))
  const ports = Object.entries(instance?.ports ?? {}).flatMap(([part, port]) => {
    const name = PORT_VARIABLES[part]
    return name === undefined ? [] : [[name, String(port)] as const]
  })
  const given = Object.entries(context.env).filter(([, value]) => value !== undefined && value !== '')
  return configOf({ ...context, env: { ...Object.fromEntries(ports), ...Object.fromEntries(given) } }, { demo: instance?.demo ?? false })
}
