import ts from 'typescript'
import { nodesOf } from './file-rules.ts'
import type { Violation } from './violation.ts'

const statement =
  /^\s*(select\b[^]*\bfrom\b|insert\s+into\b|update\b[^]*\bset\b|delete\s+from\b|with\b[^]*\bas\b[^]*\(|(create|alter|drop|truncate|lock)\s+(or\s+replace\s+)?(unique\s+)?(table|index|database|schema|role|user|view|function|type|sequence|trigger)\b|set\s+(local|session|role)\b|listen\s|notify\s|copy\b[^]*\b(from|to)\b)/i
const joins = new Set(['join', 'concat', 'replace', 'replaceAll', 'format'])
const why =
  'SQL text is a constant and values are parameters ($1, $2): text built from values is how one query becomes another. Where a part varies, write the statements out, or use `any($1)`, `coalesce($1, …)` or `case`. DDL takes no parameters: let PostgreSQL quote, with "select format(\'create database %I\', $1::text)", and run the text it returns.'

/**
 * SQL in one file that is built from parts at run time: what is handed to `.query(…)`, and any built string that reads as a
 * statement wherever it goes. Parts that are constants of the same file are as good as written out, and pass.
 */
export function builtSql(path: string, text: string): Violation[] {
  const nodes = nodesOf(path, text)
  const suspects = new Set<ts.Node>()
  for (const node of nodes) {
    if (ts.isCallExpression(node) && isQuery(node)) {
      const sql = node.arguments[0]
      if (sql && isBuilt(sql, nodes)) suspects.add(sql)
    }
    if (isOutermostText(node) && statement.test(skeleton(node)) && isBuilt(node, nodes)) suspects.add(node)
  }
  return [...suspects].map((node) => ({ rule: 'no-string-sql', where: path, what: `builds SQL: ${node.getText().slice(0, 80)}`, why }))
}

function isQuery(call: ts.CallExpression): boolean {
  return ts.isPropertyAccessExpression(call.expression) && call.expression.name.text.startsWith('query')
}

// A template or a sum that is not itself a part of a larger one: the whole is judged once.
function isOutermostText(node: ts.Node): node is ts.Expression {
  if (ts.isTemplateExpression(node)) return !ts.isTaggedTemplateExpression(node.parent) && !isPlus(node.parent)
  return isPlus(node) && !isPlus(node.parent)
}

function isPlus(node: ts.Node): node is ts.BinaryExpression {
  return (
    ts.isBinaryExpression(node) &&
    (node.operatorToken.kind === ts.SyntaxKind.PlusToken || node.operatorToken.kind === ts.SyntaxKind.PlusEqualsToken)
  )
}

// The words that are written down, with a blank for each part that is not.
function skeleton(node: ts.Expression): string {
  if (ts.isStringLiteralLike(node)) return node.text
  if (ts.isTemplateExpression(node)) return node.head.text + node.templateSpans.map((span) => ` ${span.literal.text}`).join('')
  if (isPlus(node)) return `${skeleton(node.left)}${skeleton(node.right)}`
  return ' '
}

function isBuilt(node: ts.Expression, nodes: ts.Node[]): boolean {
  if (ts.isParenthesizedExpression(node) || ts.isAsExpression(node) || ts.isSatisfiesExpression(node))
    return isBuilt(node.expression, nodes)
  if (ts.isTemplateExpression(node)) return !node.templateSpans.every((span) => isConstant(span.expression, nodes))
  if (isPlus(node)) return !(isConstant(node.left, nodes) && isConstant(node.right, nodes))
  if (ts.isConditionalExpression(node)) return isBuilt(node.whenTrue, nodes) || isBuilt(node.whenFalse, nodes)
  if (ts.isObjectLiteralExpression(node)) return node.properties.some((property) => isBuiltText(property, nodes))
  if (ts.isCallExpression(node)) return ts.isPropertyAccessExpression(node.expression) && joins.has(node.expression.name.text)
  if (ts.isIdentifier(node)) return isBuiltVariable(node.text, nodes)
  return false
}

// pg takes { text, values } too.
function isBuiltText(property: ts.ObjectLiteralElementLike, nodes: ts.Node[]): boolean {
  if (ts.isShorthandPropertyAssignment(property)) return property.name.text === 'text' && isBuiltVariable('text', nodes)
  return ts.isPropertyAssignment(property) && property.name.getText() === 'text' && isBuilt(property.initializer, nodes)
}

function isBuiltVariable(name: string, nodes: ts.Node[]): boolean {
  return nodes.some((node) => {
    if (ts.isVariableDeclaration(node) && node.name.getText() === name)
      return node.initializer !== undefined && isBuilt(node.initializer, nodes)
    return isPlus(node) && node.operatorToken.kind === ts.SyntaxKind.PlusEqualsToken && node.left.getText() === name
  })
}

function isConstant(node: ts.Expression, nodes: ts.Node[]): boolean {
  if (ts.isStringLiteralLike(node) || ts.isNumericLiteral(node)) return true
  if (ts.isParenthesizedExpression(node) || ts.isAsExpression(node)) return isConstant(node.expression, nodes)
  if (ts.isTemplateExpression(node)) return node.templateSpans.every((span) => isConstant(span.expression, nodes))
  if (isPlus(node)) return isConstant(node.left, nodes) && isConstant(node.right, nodes)
  return ts.isIdentifier(node) && isConstantName(node.text, nodes)
}

// A name declared once in the file, at its top, as a const. A second declaration of the name may shadow it, so then it is none.
function isConstantName(name: string, nodes: ts.Node[]): boolean {
  const declared = nodes.filter((node) => ts.isIdentifier(node) && node.text === name && isDeclaredBy(node)).map((node) => node.parent)
  const [only] = declared
  if (declared.length !== 1 || !only || !ts.isVariableDeclaration(only) || !only.initializer) return false
  const list = only.parent
  if (!ts.isVariableDeclarationList(list) || !(list.flags & ts.NodeFlags.Const) || !ts.isSourceFile(list.parent.parent)) return false
  return isConstant(only.initializer, nodes)
}

function isDeclaredBy(name: ts.Identifier): boolean {
  const { parent } = name
  if (ts.isImportSpecifier(parent) || ts.isImportClause(parent) || ts.isNamespaceImport(parent)) return true
  const declares =
    ts.isVariableDeclaration(parent) || ts.isParameter(parent) || ts.isBindingElement(parent) || ts.isFunctionDeclaration(parent)
  return declares && parent.name === name
}
