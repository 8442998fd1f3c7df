import { execFileSync } from 'node:child_process'
import { mkdirSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { packageRoot } from '../../src/home.ts'
import { git } from './commit.ts'

/** The commit before the one that brought the newest migration; null outside of a clone, and in one that lacks its history. */
export function olderCommit(): string | null {
  try {
    const newest = git('log', '-1', '--diff-filter=A', '--format=%H', '--', 'migrations/*.sql')
    return git('rev-parse', '--verify', `${newest}^`)
  } catch {
    return null
  }
}

/** Unpacks that commit's build into a new folder, beside the packages of this one, and answers the folder. Throws where there is no such commit. */
export function olderBuild(folder: string): string {
  const commit = olderCommit()
  if (commit === null) throw new Error('this copy has no history: clone the repository whole')
  mkdirSync(folder)
  const packed = execFileSync('git', ['archive', commit, 'src', 'test', 'migrations', 'package.json'], {
    cwd: packageRoot,
    maxBuffer: 1 << 28,
  })
  execFileSync('tar', ['-x', '-C', folder], { input: packed })
  symlinkSync(join(packageRoot, 'node_modules'), join(folder, 'node_modules'))
  return folder
}
