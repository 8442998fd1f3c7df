import { expect, test } from 'vitest'
import { ambiguousOrder, unknownOrder } from './named-order.ts'
import { printable } from './printable.ts'
import { runCommand } from './run-command.ts'

test('control and format characters are seen, not obeyed', () => {
  expect(printable('a\u001b[2Jb\u009bc\u202ed\u0007\re')).toBe('a\\u001b[2Jb\\u009bc\\u202ed\\u0007\\u000de')
  expect(printable('\u{e0001}')).toBe('\\udb40\\udc01')
  expect(printable('Ñuñoa\tx\r\ny\nz\r')).toBe('Ñuñoa\tx\r\ny\nz\r')
})

test('an object that is printed stays the one it was', () => {
  const value = { known: '\u001b[2J\u009b\u200e\u{e0001}\n' }
  expect(JSON.parse(printable(JSON.stringify(value)))).toEqual(value)
})

test('whatever a command prints is printable', async () => {
  const printed: string[] = []
  const print = (line: string): void => void printed.push(line)
  await runCommand(['no-command\u001b[2J', '--json'], { env: {}, signal: new AbortController().signal, print, progress: print })
  expect(printed.join('\n')).toContain('no-command\\u001b[2J')
  expect(printed.join('\n')).not.toContain('\u001b')
})

test('a name of another system stays within its line', () => {
  const known = 'S1\nAll is well'
  expect(unknownOrder('x', [known]).message).not.toContain('\n')
  const candidate = {
    orderId: '7',
    known,
    kind: 'erp-name',
    channel: 'odoo',
    origin: 'odoo',
    createdAt: '2026-11-23T09:00:00.000Z',
    rank: 1,
  }
  expect(ambiguousOrder('x', [candidate, candidate]).message.split('\n')).toHaveLength(3)
})
