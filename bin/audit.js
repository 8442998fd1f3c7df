#!/usr/bin/env node
// What `npm run audit:packages` runs: `npm audit` of what ships, held against audit-exceptions.json. An exception names an advisory, its reason and
// the day it ends; an ended one fails like the advisory itself. Where the registry does not answer audits, that is printed, and is no failure.
import { execFile } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { root } from './launch.js'

const exceptionsFile = join(root, 'audit-exceptions.json')
const serious = ['high', 'critical']

/**
 * What is wrong with an audit report, one sentence each.
 * @param {{ vulnerabilities?: Record<string, { via?: unknown[] }> }} report as `npm audit --json` prints it
 * @param {{ advisory: string, until: string, reason: string }[]} exceptions
 * @param {string} today as YYYY-MM-DD
 * @returns {string[]}
 */
export function problemsOf(report, exceptions, today) {
  const ended = exceptions.filter(({ until }) => !/^\d{4}-\d\d-\d\d$/.test(until) || until < today)
  const excepted = new Set(exceptions.filter((one) => !ended.includes(one)).map(({ advisory }) => advisory))
  const found = new Map()
  for (const [name, { via = [] }] of Object.entries(report.vulnerabilities ?? {})) {
    for (const one of via) {
      if (typeof one !== 'object' || one === null || !serious.includes(one.severity)) continue
      const advisory =
        String(one.url ?? '')
          .split('/')
          .at(-1) || String(one.source)
      if (!excepted.has(advisory)) found.set(`${advisory} ${name}`, `${advisory}: ${name}, ${one.severity}: ${one.title}`)
    }
  }
  return [
    ...ended.map(({ advisory, until }) => `audit-exceptions.json: the exception of ${advisory} ended on ${until}`),
    ...exceptions.filter(({ reason }) => !reason).map(({ advisory }) => `audit-exceptions.json: ${advisory} has no reason`),
    ...found.values(),
  ]
}

/** @returns {Promise<{ report?: object, skipped?: string }>} */
function npmAudit() {
  return new Promise((resolve) => {
    execFile('npm', ['audit', '--omit=dev', '--json'], { cwd: root, maxBuffer: 1 << 26 }, (_error, stdout) => {
      try {
        const report = JSON.parse(stdout)
        if (report.vulnerabilities) return resolve({ report })
        resolve({ skipped: report.message ?? report.error?.summary ?? 'the registry answers no audits' })
      } catch {
        resolve({ skipped: 'npm audit printed no report' })
      }
    })
  })
}

export function readExceptions() {
  return existsSync(exceptionsFile) ? JSON.parse(readFileSync(exceptionsFile, 'utf8')) : []
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) {
  const today = new Date().toISOString().slice(0, 10)
  const { report, skipped } = await npmAudit()
  if (skipped) console.log(`npm audit is skipped: ${skipped}`)
  const problems = problemsOf(report ?? {}, readExceptions(), today)
  for (const problem of problems) console.log(problem)
  console.log(`${problems.length} problems`)
  process.exitCode = problems.length === 0 ? 0 : 1
}
