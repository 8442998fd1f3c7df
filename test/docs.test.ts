import { existsSync, globSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { Command } from 'commander'
import { describe, expect, test } from 'vitest'
import type { CliContext, Register } from '../src/cli/context.ts'
import { packageRoot } from '../src/home.ts'

const pages = ['*.md', 'docs/**/*.md', 'simulators/*/README.md', 'examples/**/*.md']
  .flatMap((pattern) => globSync(pattern, { cwd: packageRoot, exclude: (path) => String(path).includes('node_modules') }))
  .toSorted()
const textOf = (page: string): string => readFileSync(join(packageRoot, page), 'utf8')
const matches = (text: string, pattern: RegExp): string[] => [...text.matchAll(pattern)].flatMap(([, found]) => found ?? [])

/** Headings as the anchors that a repository page gives them. */
function anchorsOf(page: string): string[] {
  return matches(textOf(page), /^#+ (.+)$/gm).map((heading) =>
    heading
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N}\s_-]/gu, '')
      .replaceAll(/\s/g, '-'),
  )
}

function brokenLinks(page: string): string[] {
  const links = matches(textOf(page).replaceAll(/```[\s\S]*?```/g, ''), /\]\(([^)\s]+)\)/g).filter((link) => !/^[a-z]+:/.test(link))
  return links.filter((link) => {
    const [path = '', anchor] = link.split('#')
    const target = path === '' ? page : join(dirname(page), path)
    if (!existsSync(join(packageRoot, target))) return true
    return anchor !== undefined && !anchorsOf(target).includes(anchor)
  })
}

/** Every registration that a file of src/cli exports, so that the commands are those of the program itself. */
async function roshCommands(): Promise<Set<string>> {
  const program = new Command('rosh')
  const context: CliContext = { env: {}, signal: new AbortController().signal, print: () => {}, progress: () => {} }
  for (const file of globSync('src/cli/*.ts', { cwd: packageRoot }).filter((path) => !path.endsWith('.test.ts'))) {
    const module = (await import(join(packageRoot, file))) as Record<string, unknown>
    for (const [name, register] of Object.entries(module)) if (name.startsWith('register')) (register as Register)(program, context)
  }
  return new Set(
    program.commands.flatMap((command) => [command.name(), ...command.commands.map((sub) => `${command.name()} ${sub.name()}`)]),
  )
}

test('the pages that people are sent to are there', () => {
  expect(pages).toEqual(
    expect.arrayContaining(['README.md', 'README.es.md', 'docs/ARCHITECTURE.md', 'docs/runbook.md', 'docs/es/runbook.md']),
  )
})

describe.each(pages)('%s', (page) => {
  test('has no relative link that leads nowhere', () => {
    expect(brokenLinks(page)).toEqual([])
  })

  test('names only npm scripts and make targets that exist', () => {
    const { scripts } = JSON.parse(textOf('package.json')) as { scripts: Record<string, string> }
    const named = matches(textOf(page), /\bnpm run ([a-z][\w:-]*)/g)
    expect(named.filter((name) => !(name in scripts))).toEqual([])
    const targets = matches(textOf('Makefile'), /^([a-z-]+):/gm)
    expect(matches(textOf(page), /`make ([a-z-]+)`/g).filter((name) => !targets.includes(name))).toEqual([])
  })

  test('names only files of the project that exist', () => {
    const named = matches(textOf(page), /`((?:src|test|docs|migrations|simulators|bench|seed)\/[\w./-]+\.\w+)`/g)
    expect(named.filter((path) => !existsSync(join(packageRoot, path)))).toEqual([])
  })
})

test('every `rosh` command that a page names exists', async () => {
  const known = await roshCommands()
  const groups = new Set([...known].flatMap((name) => (name.includes(' ') ? [name.split(' ')[0]] : [])))
  const unknown = pages.flatMap((page) =>
    [...textOf(page).matchAll(/(?:npx |`)rosh ([a-z][a-z-]*)(?: ([a-z][a-z-]*))?/g)].flatMap(([, command = '', sub]) => {
      const name = groups.has(command) && sub !== undefined ? `${command} ${sub}` : command
      return known.has(name) ? [] : [`${page}: rosh ${name}`]
    }),
  )
  expect(unknown).toEqual([])
})
