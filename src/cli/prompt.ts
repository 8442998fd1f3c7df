import { createInterface } from 'node:readline/promises'

/** Asks a person one line on the terminal. Null when nobody can answer: the input ended, or the signal aborted. */
export async function ask(question: string, signal: AbortSignal): Promise<string | null> {
  const terminal = createInterface({ input: process.stdin, output: process.stderr })
  const ended = new Promise<null>((resolve) => terminal.once('close', () => resolve(null)))
  try {
    return await Promise.race([terminal.question(question, { signal }), ended])
  } catch (error) {
    if (signal.aborted) return null
    throw error
  } finally {
    terminal.close()
  }
}
