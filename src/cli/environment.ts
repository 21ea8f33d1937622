/** Settings needed before anything heavy is loaded: Node version and colours. No dependencies. */
import { readFileSync } from 'node:fs'

type Env = Record<string, string | undefined>

/** Value of `--color=WHEN`, `--color WHEN`, `--color`, `--no-color`; the last one is used. Null if none is given. */
export function colorFlag(argv: readonly string[]): string | null {
  let found: string | null = null
  for (const [index, word] of argv.entries()) {
    if (word === '--') break
    if (word === '--no-color') found = 'never'
    else if (word.startsWith('--color=')) found = word.slice('--color='.length)
    else if (word === '--color') {
      const next = argv[index + 1]
      found = next === 'always' || next === 'never' || next === 'auto' ? next : 'always'
    }
  }
  return found
}

/** True if a stream gets colours, by priority: flag, FORCE_COLOR, NO_COLOR, TERM=dumb, whether it is a terminal. */
export function wantsColor(flag: string | null, env: Readonly<Env>, isTTY: boolean): boolean {
  if (flag === 'always' || flag === 'true') return true
  if (flag === 'never' || flag === 'false') return false
  const force = env['FORCE_COLOR']
  if (force !== undefined) return force !== '0' && force !== 'false'
  if (env['NO_COLOR'] !== undefined && env['NO_COLOR'] !== '') return false
  return env['TERM'] !== 'dumb' && isTTY
}

/**
 * Sets the variables that libraries read. Ink's chalk ignores NO_COLOR, and Node warns if both variables are set, so
 * NO_COLOR is removed and FORCE_COLOR decides.
 */
export function applyColor(argv: readonly string[], env: Env, isTTY: boolean): void {
  const flag = colorFlag(argv)
  const color = wantsColor(flag, env, isTTY)
  delete env['NO_COLOR']
  if (!color) env['FORCE_COLOR'] = '0'
  else if (flag === 'always' && (env['FORCE_COLOR'] === undefined || env['FORCE_COLOR'] === '0'))
    env['FORCE_COLOR'] = '1'
}

/** Message for a Node version that is too old, or null. All dependencies support Node 20.19 and later. */
export function nodeVersionError(version: string): string | null {
  const [major = 0, minor = 0] = version.replace(/^v/, '').split('.').map(Number)
  if (major > 20 || (major === 20 && minor >= 19)) return null
  return `sluice needs Node 20.19 or newer, but this is ${version}: install a newer one from https://nodejs.org`
}

/** First major version of Node whose headers can contain the call for which `addonError` searches. */
const FIRST_AFFECTED_MAJOR = 24

/**
 * Message if the add-on of SQLite was compiled with headers of Node 24.19 or newer, otherwise null. Such an add-on of
 * better-sqlite3 12 aborts the process while memory is freed (WiseLibs/better-sqlite3#1515).
 * @param version of this Node
 * @param file returns the path of the compiled add-on; the result is null if the add-on cannot be read
 */
export function addonError(version: string, file: () => string): string | null {
  if (Number(/^v(\d+)/.exec(version)?.[1]) < FIRST_AFFECTED_MAJOR) return null
  try {
    if (!readFileSync(file()).includes('RemoveEnvironmentCleanupHook')) return null
  } catch {
    return null
  }
  return 'better-sqlite3 was compiled with headers of Node 24.19 or newer, with which it aborts: compile it with older ones (npm_config_target=24.18.1 npm rebuild better-sqlite3), or use Node 22'
}
