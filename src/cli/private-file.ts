import { randomBytes } from 'node:crypto'
import { lstat, open, rename, rm, writeFile } from 'node:fs/promises'
import { CliError } from './context.ts'

/**
 * Writes the file that `--out` names, readable by its owner alone: into a new file beside it, which then takes its place. A mode counts only for a file
 * that is made, and what was there keeps its own, or stays open at a reader. Throws one line that names `--out` where nothing can be written.
 */
export async function writePrivately(file: string, content: string | AsyncIterable<string>): Promise<void> {
  if ((await lstat(file).catch(() => null))?.isFile() === false) throw unwritable(file, 'it is no plain file')
  const beside = `${file}.${process.pid}-${randomBytes(4).toString('hex')}`
  const handle = await open(beside, 'wx', 0o600).catch((error: unknown) => {
    throw unwritable(file, error instanceof Error ? error.message : 'unknown')
  })
  try {
    await writeFile(handle, content)
    await handle.close()
    await rename(beside, file)
  } catch (error) {
    await handle.close()
    await rm(beside, { force: true })
    throw error
  }
}

function unwritable(file: string, why: string): CliError {
  return new CliError('bad-input', `--out: ${file} cannot be written: ${why}`)
}
