import { leaf, type Node, nodesOf, textOf, treeOf } from './json-tree.ts'
import type { SeededRandom } from './seeded-random.ts'

/** Values that parsers, databases and people's code trip over, as JSON text. */
const HOSTILE: readonly string[] = [
  ['null', 'true', 'false', '""', '[]', '{}', '0', '-0', '-1', '0.1', '1e999', '-1e999', '1e-999', '1E400', '2e3'],
  ['9007199254740993', '1111111111111111111', '99999999999999999999999999999999999999', '-9223372036854775809', '2147483648', '12990.5'],
  ['"\\u0000"', '"a\\u0000b"', '"\\ud800"', '"\\udfff\\ud800"', '"\\u202e\\u200b"', '"\\ufeff"', '"é日本"', '"\\ud83d\\ude00"', '"\\r\\n"'],
  ['"__proto__"', '"constructor"', '"toString"', '"hasOwnProperty"', '"NaN"', '"Infinity"', '"undefined"', '"false"', '"0x10"', '" 1 "'],
  ['"\'; DROP TABLE channel; --"', '"<script>alert(1)</script>"', '"${7*7}{{7*7}}"', '"../../../etc/passwd"', '"%00%2e%2e%zz"', '"=cmd()"'],
  ['"0000-00-00T00:00:00Z"', '"9999-99-99 99:99:99"', '"+275760-09-13T00:00:00.000Z"', '"-000001-01-01T00:00:00Z"', '"1 jan 70000"'],
  ['{"__proto__":{"polluted":true}}', '{"constructor":{"prototype":{"polluted":true}}}', '[[[[[]]]]]', '[null]', '{"":""}'],
].flat()
const KEYS = ['__proto__', 'constructor', 'prototype', 'toString', 'then', 'length', '', 'id', '\u0000', '\ud800', 'é', 'api_token']
/** Put between bytes; the last are of HTTP. */
const TOKENS: readonly string[] = [
  ['\u0000', '{', '}', '[', ']', '"', '\\', ',', ':', '\\u0000', '\\ud800', 'null', '1e999', '9'.repeat(40), '"__proto__":{"polluted":1},'],
  ['\r\n', '\r\n\r\n', '\n', '\t', ' ', '&a', '*a', '!!js/function', '<<: *a', '|', '>', '---', '--', '=', '%00', '\uFEFF', '💥', '-'],
].flat()

/** A little more than the receiver reads of a body. */
const LONGEST_BYTES = 1_200_000

/** One to four changes of a valid input. JSON is mostly changed as a tree, so that it stays JSON and the reader behind the parser is reached. */
export function mutated(input: Uint8Array, random: SeededRandom): Uint8Array {
  const tree = random.chance(0.8) ? treeOf(Buffer.from(input).toString('utf8')) : undefined
  const rounds = random.chance(0.6) ? 1 : 2 + random.below(3)
  if (!tree) return repeat<Buffer>(rounds, Buffer.from(input), (bytes) => changedBytes(bytes, random))
  for (let round = 0; round < rounds; round++) changeTree(tree, random)
  const bytes = Buffer.from(textOf(tree), 'utf8').subarray(0, LONGEST_BYTES)
  return random.chance(0.05) ? changedBytes(bytes, random) : bytes
}

function repeat<T>(times: number, start: T, step: (value: T) => T): T {
  let value = start
  for (let round = 0; round < times; round++) value = step(value)
  return value
}

function changeTree(root: Node, random: SeededRandom): void {
  const nodes = nodesOf(root)
  const node = random.pick(nodes)
  const draw = random.below(10)
  if (draw < 4 || (node.kind === 'leaf' && draw < 8)) return become(node, draw < 3 ? leaf(random.pick(HOSTILE)) : otherForm(node, random))
  if (draw === 4) return become(node, leaf(nested(random)))
  if (draw === 5) return become(node, structuredClone(random.pick(nodes)))
  if (node.kind === 'object') return changeObject(node, random)
  if (node.kind === 'array') return changeArray(node, random)
}

/** The same thing as another type or a little off: what a careless sender does. */
function otherForm(node: Node, random: SeededRandom): Node {
  const text = textOf(node)
  if (node.kind !== 'leaf') return leaf(JSON.stringify(text))
  const inner = text.startsWith('"') ? String(JSON.parse(text)) : text
  const forms: (() => string)[] = [
    () => JSON.stringify(inner),
    () => (/^-?\d{1,300}$/.test(inner) ? inner : String(inner.length)),
    () => `[${text}]`,
    () => JSON.stringify(inner.slice(0, 20_000).repeat(1 + random.below(40))),
    () => JSON.stringify(inner.slice(0, random.below(inner.length + 1))),
    () =>
      JSON.stringify(
        spliced(inner, random.below(inner.length + 1), random.pick(['\u0000', '\ud83d', '💥', ' ', '/', '.', '-', 'é', '\u202e', '\r\n'])),
      ),
    () => JSON.stringify('💥'.repeat(60 + random.below(200)) + inner),
    () => JSON.stringify(`x${'💥'.repeat(60 + random.below(200))}${inner}`),
    () => (/^-?\d+$/.test(text) ? `${text}${random.pick(['0', '.5', 'e3', '00000000000000000', '.0'])}` : `${random.below(2 ** 31)}`),
    () => `-${inner.replace(/\D/g, '') || '1'}`.replace(/^-0+(?=\d)/, '-'),
    () => JSON.stringify(inner.toUpperCase()),
  ]
  return leaf(random.pick(forms)())
}

const spliced = (text: string, at: number, what: string): string => text.slice(0, at) + what + text.slice(at)

function nested(random: SeededRandom): string {
  const depth = random.pick([5, 100, 1_000, 6_000, 30_000])
  const [open, close] = random.pick([
    ['[', ']'],
    ['{"a":', '}'],
  ])
  return `${open!.repeat(depth)}null${close!.repeat(depth)}`
}

function changeObject(node: Node & { kind: 'object' }, random: SeededRandom): void {
  const entry = node.entries.length > 0 ? random.pick(node.entries) : undefined
  const hostile: [string, Node] = [random.pick(KEYS), leaf(random.pick(HOSTILE))]
  const changes: (() => void)[] = [
    () => void (entry && node.entries.splice(node.entries.indexOf(entry), 1)),
    // The same key twice, the last one wins in most parsers and the first one in some.
    () => void (entry && node.entries.push([entry[0], leaf(random.pick(HOSTILE))])),
    () => void (entry && node.entries.unshift([entry[0], leaf(random.pick(HOSTILE))])),
    () => void node.entries.push(hostile),
    () => void (entry && (entry[0] = random.pick(KEYS))),
  ]
  random.pick(changes)()
}

function changeArray(node: Node & { kind: 'array' }, random: SeededRandom): void {
  const item = node.items.length > 0 ? random.pick(node.items) : leaf(random.pick(HOSTILE))
  const changes: (() => void)[] = [
    () => void node.items.pop(),
    () => void (node.items = []),
    () => void node.items.push(leaf(random.pick(HOSTILE))),
    () => void node.items.push(...Array.from({ length: 1 + random.below(120) }, () => structuredClone(item))),
    () => void node.items.reverse(),
  ]
  random.pick(changes)()
}

function become(node: Node, other: Node): void {
  for (const key of Object.keys(node)) delete (node as Record<string, unknown>)[key]
  Object.assign(node, other)
}

function changedBytes(bytes: Buffer, random: SeededRandom): Buffer {
  const at = random.below(bytes.length + 1)
  const length = random.below(Math.min(64, bytes.length - at) + 1)
  const changes: (() => Buffer)[] = [
    () => bitFlipped(bytes, at, random),
    () => bytes.subarray(0, at),
    () => bytes.subarray(at),
    () => Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + length)]),
    () => Buffer.concat([bytes.subarray(0, at + length), bytes.subarray(at)]),
    () => Buffer.concat([bytes.subarray(0, at), Buffer.from(random.pick(TOKENS)), bytes.subarray(at)]),
    () => Buffer.concat([bytes.subarray(0, at), Buffer.from(random.pick(TOKENS).repeat(random.below(300))), bytes.subarray(at)]),
    () => Buffer.concat([bytes.subarray(0, at), Buffer.from(Array.from({ length: 8 }, () => random.below(256))), bytes.subarray(at)]),
  ]
  return random.pick(changes)()
}

function bitFlipped(bytes: Buffer, at: number, random: SeededRandom): Buffer {
  const copy = Buffer.from(bytes)
  if (at < copy.length) copy[at] = copy[at]! ^ (1 << random.below(8))
  return copy
}
