/**
 * JSON as it is written: an object may hold one key twice, and a leaf is its own text. `JSON.parse` keeps neither, and both are what a
 * stranger may send.
 */
export type Node =
  | { kind: 'object'; entries: [key: string, node: Node][] }
  | { kind: 'array'; items: Node[] }
  | { kind: 'leaf'; text: string }

type Reviver = (key: string, value: unknown, context?: { source?: string }) => unknown

/** Undefined for what is no JSON. */
export function treeOf(text: string): Node | undefined {
  const build: Reviver = (_key, value, context) => {
    if (Array.isArray(value)) return { kind: 'array', items: value as Node[] } satisfies Node
    if (typeof value === 'object' && value !== null)
      return { kind: 'object', entries: Object.entries(value) as [string, Node][] } satisfies Node
    return { kind: 'leaf', text: context?.source ?? JSON.stringify(value) } satisfies Node
  }
  try {
    return JSON.parse(text, build as (key: string, value: unknown) => unknown) as Node
  } catch {
    return undefined
  }
}

export function textOf(node: Node): string {
  if (node.kind === 'leaf') return node.text
  if (node.kind === 'array') return `[${node.items.map(textOf).join(',')}]`
  return `{${node.entries.map(([key, value]) => `${JSON.stringify(key)}:${textOf(value)}`).join(',')}}`
}

export const leaf = (text: string): Node => ({ kind: 'leaf', text })

/** Every node below this one and itself; nodes are changed in place. */
export function nodesOf(node: Node): Node[] {
  if (node.kind === 'array') return [node, ...node.items.flatMap(nodesOf)]
  if (node.kind === 'object') return [node, ...node.entries.flatMap(([, value]) => nodesOf(value))]
  return [node]
}
