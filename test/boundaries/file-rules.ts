import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { basename, join, relative } from 'node:path'
import ts from 'typescript'
import type { Violation } from './violation.ts'

type FileRule = { why: string; offences: (path: string, text: string) => string[] }

const bucket = /^(utils?|helpers?|common|shared|misc)$|-(utils?|helpers?)$/
const mayReadEnvironment = /^(src\/main\.ts|simulators\/[^/]+\/main\.ts|(test|bench|bin)\/.*)$|\.test\.ts$/
const longFileReason = '// Over 300 lines because '
const maxLines = 300

const rules: Record<string, FileRule> = {
  'no-bucket-name': {
    why: 'A thing lives in the file named after it. Name the file or folder for what it holds.',
    offences: (path) =>
      path
        .split('/')
        .map((part) => part.replace(/(\.test)?\.[a-z]+$/, ''))
        .filter((part, at, parts) => bucket.test(part) || (part === 'types' && at === parts.length - 1))
        .map((part) => `is named ${part}`),
  },
  'no-index': {
    why: 'An index.ts that only re-exports hides where a thing lives. Import the file itself.',
    offences: (path) => (/(^|\/)index\.[jt]sx?$/.test(path) ? ['is an index file'] : []),
  },
  'no-long-file': {
    why: `A file over ${maxLines} lines holds more than one concept. Split it, or give the reason in its first 5 lines: "${longFileReason}…".`,
    offences: (path, text) => {
      const lines = text.replace(/\n$/, '').split('\n')
      const excused = lines.slice(0, 5).some((line) => line.startsWith(longFileReason) && line.length > longFileReason.length)
      return /^(src|simulators|test)\//.test(path) && lines.length > maxLines && !excused ? [`has ${lines.length} lines`] : []
    },
  },
  'no-default-export': {
    why: 'Named exports only: a thing has one name, where it is written and where it is used.',
    offences: (path, text) =>
      path.startsWith('src/')
        ? nodesOf(path, text)
            .filter(isDefaultExport)
            .map(() => 'has a default export')
        : [],
  },
  'environment-in-main': {
    why: 'Only main.ts reads the environment, through config.ts; everything else is handed its settings.',
    offences: (path, text) =>
      mayReadEnvironment.test(path)
        ? []
        : nodesOf(path, text)
            .filter(isEnvironmentRead)
            .map((node) => `reads the environment: ${node.getText()}`),
  },
  'incidents-stay-in-the-seed': {
    why: 'The hub must find the incidents by itself: only cli/seed.ts opens the list of what was planted.',
    offences: (path, text) =>
      /^src\/(?!cli\/seed\.ts$)(?!.*\.test\.ts$)/.test(path)
        ? nodesOf(path, text)
            .filter((node) => ts.isStringLiteralLike(node) || ts.isTemplateHead(node) || ts.isTemplateMiddleOrTemplateTail(node))
            .filter((node) => node.getText().includes('monday-incidents'))
            .map((node) => `names the incident list: ${node.getText()}`)
        : [],
  },
}

export const fileRuleNames: string[] = Object.keys(rules)

/** Every source file below `root` in `folders` that breaks a rule on names, sizes or contents. */
export function forbiddenFiles(root: string, folders: string[]): Violation[] {
  return folders
    .flatMap((folder) => sourceFiles(root, folder))
    .flatMap((path) => {
      const text = readFileSync(join(root, path), 'utf8')
      return Object.entries(rules).flatMap(([rule, { why, offences }]) =>
        offences(path, text).map((what) => ({ rule, where: path, what, why })),
      )
    })
}

/** Paths relative to `root`, with `/`, of the TypeScript and JavaScript files below one of its folders. */
export function sourceFiles(root: string, folder: string): string[] {
  if (!existsSync(join(root, folder))) return []
  return readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && /\.[cm]?[jt]sx?$/.test(entry.name))
    .map((entry) => relative(root, join(entry.parentPath, entry.name)).replaceAll('\\', '/'))
    .filter((path) => !/(^|\/)(node_modules|dist|coverage)\//.test(path))
    .sort()
}

/** Every node of a file, parents set, in the order of the text. */
export function nodesOf(path: string, text: string): ts.Node[] {
  const nodes: ts.Node[] = []
  const visit = (node: ts.Node): void => {
    nodes.push(node)
    node.forEachChild(visit)
  }
  visit(ts.createSourceFile(basename(path), text, ts.ScriptTarget.Latest, true))
  return nodes
}

function isDefaultExport(node: ts.Node): boolean {
  if (ts.isExportAssignment(node)) return true
  if (ts.isExportSpecifier(node)) return node.name.text === 'default'
  return node.kind === ts.SyntaxKind.DefaultKeyword && ts.canHaveModifiers(node.parent)
}

// process.env, process['env'], globalThis.process.env, const { env } = process, import { env } from 'node:process'
function isEnvironmentRead(node: ts.Node): boolean {
  if (ts.isPropertyAccessExpression(node)) return node.name.text === 'env' && isProcess(node.expression)
  if (ts.isElementAccessExpression(node)) {
    return ts.isStringLiteralLike(node.argumentExpression) && node.argumentExpression.text === 'env' && isProcess(node.expression)
  }
  if (ts.isVariableDeclaration(node)) {
    const names = ts.isObjectBindingPattern(node.name)
      ? node.name.elements.map((element) => (element.propertyName ?? element.name).getText())
      : []
    return names.includes('env') && node.initializer !== undefined && isProcess(node.initializer)
  }
  if (ts.isImportSpecifier(node)) {
    const from = node.parent.parent.parent.moduleSpecifier
    return (node.propertyName ?? node.name).text === 'env' && ts.isStringLiteral(from) && /^(node:)?process$/.test(from.text)
  }
  return false
}

function isProcess(node: ts.Expression): boolean {
  return /^(globalThis\??\.)?process$/.test(node.getText())
}
