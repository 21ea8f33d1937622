/**
 * What must be settled before anything heavy is loaded: the Node version, React's build and colours. No dependencies.
 */

type Env = Record<string, string | undefined>

/**
 * `--color=WHEN`, `--color WHEN`, `--color`, `--no-color` of a command line; the last one wins. Null when none is
 * given.
 */
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

/** Whether a stream gets colours: flag, then FORCE_COLOR, NO_COLOR, TERM=dumb, and last whether it is a terminal. */
export function wantsColor(flag: string | null, env: Readonly<Env>, isTTY: boolean): boolean {
  if (flag === 'always' || flag === 'true') return true
  if (flag === 'never' || flag === 'false') return false
  const force = env['FORCE_COLOR']
  if (force !== undefined) return force !== '0' && force !== 'false'
  if (env['NO_COLOR'] !== undefined && env['NO_COLOR'] !== '') return false
  return env['TERM'] !== 'dumb' && isTTY
}

/**
 * Puts the answer where every library finds it. Ink's chalk does not know NO_COLOR, and Node warns when both variables
 * are set, so NO_COLOR always goes and FORCE_COLOR says it all.
 */
export function settleColor(argv: readonly string[], env: Env, isTTY: boolean): void {
  const flag = colorFlag(argv)
  const color = wantsColor(flag, env, isTTY)
  delete env['NO_COLOR']
  if (!color) env['FORCE_COLOR'] = '0'
  else if (flag === 'always' && (env['FORCE_COLOR'] === undefined || env['FORCE_COLOR'] === '0'))
    env['FORCE_COLOR'] = '1'
}

/** The sentence for a Node that is too old, or null. Node 20.19 is the first that every dependency supports. */
export function nodeComplaint(version: string): string | null {
  const [major = 0, minor = 0] = version.replace(/^v/, '').split('.').map(Number)
  if (major > 20 || (major === 20 && minor >= 19)) return null
  return `sluice needs Node 20.19 or newer, and this is ${version}: install a newer one from https://nodejs.org`
}
