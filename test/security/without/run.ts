import { copyFileSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync } from 'node:fs'
import { execFileSync, spawn } from 'node:child_process'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { parseArgs } from 'node:util'
import { setup } from '../../support/global-setup.ts'
import { runVariable, serverOf } from '../../support/test-server.ts'
import { REQUIREMENTS, requirementOf, testPrefixOf } from '../requirements.ts'

const HELP = `npm run security:without [-- R1 R12 ...]

Shows that the test of each security requirement fails without its defence. In copies of the tree it applies every patch of
test/security/without, runs the requirement's test and expects it red; without a patch it must be green. Exits 1 when one is not as expected.`

const root = join(import.meta.dirname, '..', '..', '..')
const folder = join(root, 'test', 'security')
const COPIES = 2

interface Run {
  passed: number
  failed: number
  /** What failed first, and why: only of interest where nothing should. */
  first: string
  /** Files that did not come as far as a test, or whose preparation failed: a patch must break the defence, not the program. */
  broken: string[]
}

interface Result {
  id: string
  what: string
  ok: boolean
  says: string
}

process.exitCode = await main(process.argv.slice(2))

async function main(argv: string[]): Promise<number> {
  const { values, positionals } = parseArgs({ args: argv, options: { help: { type: 'boolean' } }, allowPositionals: true })
  if (values.help) {
    console.log(HELP)
    return 0
  }
  const wanted = REQUIREMENTS.filter(({ id, later }) => !later && (positionals.length === 0 || positionals.includes(id))).map(
    ({ id }) => id,
  )
  const end = setup()
  const copies = mkdtempSync(join(tmpdir(), 'rosh-without-'))
  try {
    const { superuserUrl } = await serverOf(process.env[runVariable] ?? '')
    const results = await judgeAll(wanted, { copies, databaseUrl: superuserUrl })
    print(results, positionals.length === 0)
    return results.every(({ ok }) => ok) && results.length > 0 ? 0 : 1
  } finally {
    rmSync(copies, { recursive: true, force: true })
    await end()
  }
}

interface Ground {
  copies: string
  databaseUrl: string
}

async function judgeAll(wanted: string[], ground: Ground): Promise<Result[]> {
  const trees = Array.from({ length: COPIES }, (_, i) => copyTree(join(ground.copies, String(i))))
  const tests = readdirSync(folder).filter((name) => name.endsWith('.test.ts'))
  const patches = readdirSync(join(folder, 'without')).filter((name) => name.endsWith('.patch'))
  const acts = wanted.flatMap((id) => {
    const files = tests.filter((name) => name.startsWith(testPrefixOf(id))).map((name) => `test/security/${name}`)
    const own = patches.filter((patch) => requirementOf(patch) === id)
    if (files.length === 0 || own.length === 0) {
      const missing = { id, what: '-', ok: false, says: files.length === 0 ? 'no test' : 'no patch' }
      return [async () => missing]
    }
    return [
      (tree: string) => judgeWith(id, files, tree, ground),
      ...own.map((patch) => (tree: string) => judgeWithout({ id, patch, files }, tree, ground)),
    ]
  })
  const results: Result[] = []
  await Promise.all(
    trees.map(async (tree) => {
      for (let act = acts.shift(); act; act = acts.shift()) {
        const result = await act(tree)
        console.error(`${result.ok ? 'ok    ' : 'FAILED'} ${result.id.padEnd(4)} ${result.what.padEnd(24)} ${result.says}`)
        results.push(result)
      }
    }),
  )
  const place = (id: string): number => REQUIREMENTS.findIndex((one) => one.id === id)
  return results.sort((a, b) => place(a.id) - place(b.id) || (a.what < b.what ? -1 : 1))
}

async function judgeWith(id: string, files: string[], tree: string, ground: Ground): Promise<Result> {
  const { passed, failed, first, broken } = await runTests(files, tree, ground)
  const ok = failed === 0 && broken.length === 0 && passed > 0
  return { id, what: '(as it is)', ok, says: ok ? `green: ${passed} passed` : `NOT GREEN: ${failed} failed ${first}${broken.join(' ')}` }
}

async function judgeWithout(one: { id: string; patch: string; files: string[] }, tree: string, ground: Ground): Promise<Result> {
  const { id, patch, files } = one
  const path = join(folder, 'without', patch)
  try {
    apply(tree, path, [])
  } catch (error) {
    return { id, what: patch, ok: false, says: `DOES NOT APPLY: ${String((error as { stderr?: Buffer }).stderr ?? error).split('\n')[0]}` }
  }
  try {
    const { failed, broken } = await runTests(files, tree, ground)
    if (broken.length > 0) return { id, what: patch, ok: false, says: `BREAKS THE PROGRAM: ${broken.join(' ')}` }
    return { id, what: patch, ok: failed > 0, says: failed > 0 ? `red: ${failed} failed` : 'STAYS GREEN: nothing tests this defence' }
  } finally {
    apply(tree, path, ['--reverse'])
  }
}

function apply(tree: string, patch: string, options: string[]): void {
  const env = { ...process.env, GIT_CEILING_DIRECTORIES: dirname(tree) }
  execFileSync('git', ['apply', '-C1', ...options, patch], { cwd: tree, env, stdio: 'pipe' })
}

/** What is tracked, or would be, without what was installed or built. */
function copyTree(tree: string): string {
  const listed = execFileSync('git', ['ls-files', '-z', '--cached', '--others', '--exclude-standard'], { cwd: root, maxBuffer: 1 << 24 })
  const present = new Set(readdirSync(root, { recursive: false }).map(String))
  for (const path of listed.toString('utf8').split('\0')) {
    if (path === '' || !present.has(path.split('/')[0] ?? '')) continue
    mkdirSync(dirname(join(tree, path)), { recursive: true })
    try {
      copyFileSync(join(root, path), join(tree, path))
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error // removed, and not committed yet
    }
  }
  symlinkSync(join(root, 'node_modules'), join(tree, 'node_modules'))
  return tree
}

interface Report {
  numPassedTests: number
  numFailedTests: number
  testResults: { name: string; assertionResults: { status: string; title: string; failureMessages: string[] }[]; status: string }[]
}

async function runTests(files: string[], tree: string, { databaseUrl }: Ground): Promise<Run> {
  const output = join(tree, 'out', 'report.json')
  rmSync(output, { force: true })
  const vitest = join(tree, 'node_modules', 'vitest', 'vitest.mjs')
  const args = [vitest, 'run', ...files, '--reporter=json', `--outputFile=${output}`]
  const { [runVariable]: _, ...env } = process.env
  const child = spawn(process.execPath, args, { cwd: tree, stdio: 'ignore', env: { ...env, TEST_DATABASE_URL: databaseUrl } })
  await new Promise((resolve) => child.once('close', resolve))
  try {
    const report = JSON.parse(readFileSync(output, 'utf8')) as Report
    const broken = report.testResults
      .filter((one) => one.status === 'failed' && !one.assertionResults.some(({ status }) => status === 'failed'))
      .map(({ name }) => name)
    const [first] = report.testResults.flatMap(({ assertionResults }) => assertionResults.filter(({ status }) => status === 'failed'))
    const why = first ? `"${first.title}": ${first.failureMessages[0]?.split('\n')[0] ?? ''}` : ''
    return { passed: report.numPassedTests, failed: report.numFailedTests, first: why, broken }
  } catch {
    return { passed: 0, failed: 0, first: '', broken: ['vitest left no report'] }
  }
}

function print(results: Result[], whole: boolean): void {
  console.log('\nrequirement  patch                      result')
  for (const { id, what, says } of results) console.log(`${id.padEnd(12)} ${what.padEnd(26)} ${says}`)
  if (whole) for (const { id, later } of REQUIREMENTS) if (later) console.log(`${id.padEnd(12)} ${'-'.padEnd(26)} later: ${later}`)
  const bad = results.filter(({ ok }) => !ok).length
  console.log(`\n${results.length - bad} passed, ${bad} failed`)
}
