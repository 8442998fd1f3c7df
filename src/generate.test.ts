import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { HubFile } from './config-file.ts'
import { REPLACED, Variables } from './config-variables.ts'
import { generatedFiles } from './generate.ts'
import { packageRoot } from './home.ts'

const { '.env.example': env = '', 'docs/configuration.md': docs = '' } = generatedFiles()

test('every variable stands commented in .env.example, with its default', () => {
  for (const name of Object.keys(Variables.shape)) expect(env).toMatch(new RegExp(`^# ${name}=`, 'm'))
  expect(env).toContain('\n# OUTBOX_MAX_ATTEMPTS=12\n')
  expect(env.split('\n').filter((line) => line !== '' && !line.startsWith('#'))).toEqual([])
})

test('the page of the configuration names every variable, every YAML field and every variable that was replaced', () => {
  for (const name of [...Object.keys(Variables.shape), ...Object.keys(REPLACED), ...Object.keys(HubFile.shape)]) {
    expect(docs).toContain(`| \`${name}\` |`)
  }
  expect(docs).toContain('| `channels.<name>.timing.leaseMs` |')
  expect(docs).toContain('| `routing[].when.team` |')
})

test('what is committed is what the schemas give', () => {
  for (const [path, text] of Object.entries(generatedFiles())) expect(readFileSync(join(packageRoot, path), 'utf8')).toBe(text)
})
