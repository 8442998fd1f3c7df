import { execFileSync } from 'node:child_process'
import { packageRoot } from '../../src/home.ts'

/** Outside of a clone. */
const NO_COMMIT = 'unknown'
/** What a run depends on; documents are none of it. */
const CODE = ['src', 'simulators', 'test', 'migrations', 'package-lock.json']

/** Standard output of git in this copy; throws outside of a clone and for what git refuses. */
export const git = (...args: string[]): string => execFileSync('git', args, { cwd: packageRoot, encoding: 'utf8', stdio: 'pipe' }).trim()

/** The commit that is checked out, with `+` where code differs from it; `unknown` outside of a clone. */
export function commitOf(): string {
  try {
    return git('rev-parse', '--short=10', 'HEAD') + (git('status', '--porcelain', '--', ...CODE) === '' ? '' : '+')
  } catch {
    return NO_COMMIT
  }
}

/** Whether the code of these files is that of a commit as `commitOf` names it. */
export function isCodeOf(commit: string): boolean {
  if (commit === NO_COMMIT || commit.endsWith('+') || commitOf().endsWith('+')) return false
  try {
    return git('diff', '--name-only', commit, 'HEAD', '--', ...CODE) === ''
  } catch {
    return false // it is not in this copy
  }
}
