/**
 * The config file that nobody names: `sluice.yaml` of the folder we are in or of one above it, else that of the user.
 */
import { lstatSync, realpathSync, statSync } from 'node:fs'
import { homedir } from 'node:os'
import path from 'node:path'
import { configFlag, firstWord } from './globals.ts'
import { DEFAULT_CONFIG } from './lifecycle-defaults.ts'
import { isTrusted } from './trust.ts'

type Env = Readonly<Record<string, string | undefined>>

export type FoundConfig = {
  /** As `--config` takes it: by its name alone in the folder that we are in. */
  readonly file: string | null
  /** Files that lie there and are not read, each with the reason. */
  readonly passedOver: readonly string[]
  /** Absolute path of the nearest file, where this user has not trusted what it holds; then `file` is null. */
  readonly untrusted: string | null
}

const NONE: FoundConfig = { file: null, passedOver: [], untrusted: null }

/** Commands that read no config file, or none but the one that they write; of a queue that it names `ctl` does. */
const WITHOUT: ReadonlySet<string> = new Set(['completion', 'init', 'man', 'ctl', 'trust'])

/**
 * The nearest file counts alone. One that another user may have put there, or that this user has not trusted, is not
 * read unasked: it can name databases, files that are written, and commands that are started. The file of the user's
 * own config folder needs no word.
 * @param cwd the folder to begin in @param uid null where the system knows no owners
 */
export function searchConfig(argv: readonly string[], cwd: string, env: Env, uid: number | null): FoundConfig {
  const word = firstWord(argv)
  if (configFlag(argv) !== null || hasFlag(argv, '--no-config')) return NONE
  if (WITHOUT.has(word ?? '') && !hasFlag(argv, '--distributed')) return NONE
  // `lifecycle` writes into the file, and that of the user is for all folders.
  const own = userFolder(env)
  const folders = [...upwards(cwd), ...(word === 'lifecycle' ? [] : [own])]
  const passedOver: string[] = []
  for (const folder of folders) {
    const file = path.join(folder, DEFAULT_CONFIG)
    const why = whyNot(file, uid)
    if (why === null && folder !== own && !isTrusted(file, env)) return { file: null, passedOver, untrusted: file }
    if (why === null) return { file: folder === cwd ? DEFAULT_CONFIG : file, passedOver, untrusted: null }
    if (why !== 'missing') passedOver.push(`${file} is not read: ${why}; --config ${file} reads it`)
  }
  return { file: null, passedOver, untrusted: null }
}

/** Whether a flag is among the words, which are not read yet. */
export function hasFlag(argv: readonly string[], flag: string): boolean {
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

const WRITABLE_BY_GROUP = 0o020
const WRITABLE_BY_ALL = 0o002

/**
 * Null for a file that no other user can have written: neither it nor its folder, nor a link that leads to it. @returns
 * else the reason, or `missing`
 */
export function whyNot(file: string, uid: number | null): string | null {
  try {
    const real = realpathSync(file)
    if (!statSync(real).isFile()) return 'missing'
    if (uid === null) return null
    if (lstatSync(file).uid !== uid) return 'the file belongs to another user'
    for (const name of new Set([file, real])) {
      const why = whyNotAt(name, uid)
      if (why !== null) return why
    }
    return null
  } catch {
    return 'missing'
  }
}

function whyNotAt(file: string, uid: number): string | null {
  const of = statSync(file)
  const folder = statSync(path.dirname(file))
  if (of.uid !== uid) return 'the file belongs to another user'
  if (folder.uid !== uid) return 'its folder belongs to another user'
  for (const [bit, who] of [
    [WRITABLE_BY_ALL, 'everybody'],
    [WRITABLE_BY_GROUP, 'its group'],
  ] as const) {
    if ((of.mode & bit) !== 0) return `${who} may write the file`
    if ((folder.mode & bit) !== 0) return `${who} may write its folder`
  }
  return null
}
