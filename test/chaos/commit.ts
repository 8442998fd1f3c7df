import { execFileSync } from 'node:child_process'
import { packageRoot } from '../../src/home.ts'

/** Outside of a clone. */
export const NO_COMMIT = 'unknown'

/** The commit that is checked out, with `+` where files differ from it; `NO_COMMIT` outside of a clone. */
export function commitOf(): string {
  try {
    const git = (...args: string[]): string => execFileSync('git', args, { cwd: packageRoot, encoding: 'utf8', stdio: 'pipe' }).trim()
    return (
      git('rev-parse', '--short=10', 'HEAD') +
      (git('status', '--porcelain', '--', 'src', 'simulators', 'test', 'migrations') === '' ? '' : '+')
    )
  } catch {
    return NO_COMMIT
  }
}
