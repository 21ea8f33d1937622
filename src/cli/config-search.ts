/** The config file that nobody names: `sluice.yaml` of the folder we are in or of one above it, else that of the user. */
import { statSync } from 'node:fs'
import { homedir } from 'node:os'
import path from 'node:path'
import { configFlag, firstWord } from './globals.ts'
import { DEFAULT_CONFIG } from './lifecycle-defaults.ts'

type Env = Readonly<Record<string, string | undefined>>

export type FoundConfig = {
  /** As `--config` takes it: by its name alone in the folder that we are in. */
  readonly file: string | null
  /** Files that lie there and are not read, each with the reason. */
  readonly passedOver: readonly string[]
}

/** Commands that read no config file, or none but the one that they write; of a queue that it names `ctl` does. */
const WITHOUT: ReadonlySet<string> = new Set(['completion', 'init', 'man', 'ctl'])

/**
 * The nearest file counts alone. One that somebody else may have put there is not read unasked: it can name databases, and commands that are started.
 * @param cwd the folder to begin in @param uid null where the system knows no owners
 */
export function searchConfig(argv: readonly string[], cwd: string, env: Env, uid: number | null): FoundConfig {
  const word = firstWord(argv)
  if (configFlag(argv) !== null || has(argv, '--no-config')) return { file: null, passedOver: [] }
  if (WITHOUT.has(word ?? '') && !has(argv, '--distributed')) return { file: null, passedOver: [] }
  // `lifecycle` writes into the file, and that of the user is for all folders.
  const folders = [...upwards(cwd), ...(word === 'lifecycle' ? [] : [userFolder(env)])]
  const passedOver: string[] = []
  for (const folder of folders) {
    const file = path.join(folder, DEFAULT_CONFIG)
    const why = whyNot(file, uid)
    if (why === null) return { file: folder === cwd ? DEFAULT_CONFIG : file, passedOver }
    if (why !== 'missing') passedOver.push(`${file} is not read: ${why}; --config ${file} reads it`)
  }
  return { file: null, passedOver }
}

/** Whether a flag is given. */
function has(argv: readonly string[], flag: string): boolean {
  const end = argv.indexOf('--')
  return (end === -1 ? argv : argv.slice(0, end)).includes(flag)
}

/** `--config FILE` as if it had been typed, so that every printed command has it. */
export function withConfig(argv: readonly string[], file: string | null): readonly string[] {
  if (file === null) return argv
  const end = argv.indexOf('--')
  const flag = ['--config', file]
  return end === -1 ? [...argv, ...flag] : [...argv.slice(0, end), ...flag, ...argv.slice(end)]
}

function upwards(cwd: string): readonly string[] {
  const folders = [cwd]
  for (let at = cwd; path.dirname(at) !== at; at = path.dirname(at)) folders.push(path.dirname(at))
  return folders
}

function userFolder(env: Env): string {
  const told = env['XDG_CONFIG_HOME']
  // The XDG rules say to ignore a relative path.
  return path.join(told !== undefined && path.isAbsolute(told) ? told : path.join(homedir(), '.config'), 'sluice')
}

const WRITABLE_BY_ALL = 0o002

/** Null for a file that may be read. */
function whyNot(file: string, uid: number | null): string | null {
  try {
    const of = statSync(file)
    if (!of.isFile()) return 'missing'
    const folder = statSync(path.dirname(file))
    if (uid === null) return null
    if (of.uid !== uid) return 'the file belongs to another user'
    if (folder.uid !== uid) return 'its folder belongs to another user'
    if ((of.mode & WRITABLE_BY_ALL) !== 0) return 'everybody may write the file'
    if ((folder.mode & WRITABLE_BY_ALL) !== 0) return 'everybody may write its folder'
    return null
  } catch {
    return 'missing'
  }
}
