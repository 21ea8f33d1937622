/**
 * Searches for a config file if none is given: `sluice.yaml` in the current folder or a folder above it, otherwise the
 * file in the user's config folder.
 */
import { lstatSync, realpathSync, statSync } from 'node:fs'
import { homedir } from 'node:os'
import path from 'node:path'
import { configFlag, firstWord, splitAtEnd } from '../parse/globals.ts'
import { DEFAULT_CONFIG } from './lifecycle-defaults.ts'
import { isTrusted } from './trust.ts'

type Env = Readonly<Record<string, string | undefined>>

export type FoundConfig = {
  /** Path of the file as a user would type it for `--config`: only the name if it is in the current folder. */
  readonly file: string | null
  /** Files found but not read, each with the reason. */
  readonly passedOver: readonly string[]
  /** Absolute path of the nearest file, if this user has not trusted its content; then `file` is null. */
  readonly untrusted: string | null
}

const NONE: FoundConfig = { file: null, passedOver: [], untrusted: null }

/** Commands that read no config file, or only the file that they write. `ctl` reads it if a queue is used. */
const COMMANDS_WITHOUT_CONFIG: ReadonlySet<string> = new Set(['completion', 'init', 'man', 'ctl', 'trust'])

/**
 * Only the nearest file is used. A file that another user may have written, or that this user has not trusted, is not
 * read without `--config`: it can name databases, files to write, and commands to start. The file in the user's own
 * config folder needs no trust.
 * @param cwd the folder to begin in @param uid of this user; null if the system has no file owners
 */
export function searchConfig(argv: readonly string[], cwd: string, env: Env, uid: number | null): FoundConfig {
  const word = firstWord(argv)
  if (configFlag(argv) !== null || hasFlag(argv, '--no-config')) return NONE
  if (COMMANDS_WITHOUT_CONFIG.has(word ?? '') && !hasFlag(argv, '--distributed')) return NONE
  // `lifecycle` writes to the file, so leave out the file in the user's config folder: it applies to all folders.
  const own = userFolder(env)
  const folders = [...upwards(cwd), ...(word === 'lifecycle' ? [] : [own])]
  const passedOver: string[] = []
  for (const folder of folders) {
    const file = path.join(folder, DEFAULT_CONFIG)
    const why = unsafeReason(file, uid)
    if (why === null && folder !== own && !isTrusted(file, env)) return { file: null, passedOver, untrusted: file }
    if (why === null) return { file: folder === cwd ? DEFAULT_CONFIG : file, passedOver, untrusted: null }
    if (why !== 'missing') passedOver.push(`${file} is not read: ${why}; to read it, give --config ${file}`)
  }
  return { file: null, passedOver, untrusted: null }
}

/** True if a flag is among the words, which are not parsed yet. */
export function hasFlag(argv: readonly string[], flag: string): boolean {
  return splitAtEnd(argv)[0].includes(flag)
}

/** Adds `--config FILE` as if typed, so that every printed command contains it. */
export function withConfig(argv: readonly string[], file: string | null): readonly string[] {
  if (file === null) return argv
  const [flags, rest] = splitAtEnd(argv)
  return [...flags, '--config', file, ...rest]
}

function upwards(cwd: string): readonly string[] {
  const folders = [cwd]
  for (let at = cwd; path.dirname(at) !== at; at = path.dirname(at)) folders.push(path.dirname(at))
  return folders
}

function userFolder(env: Env): string {
  const reported = env['XDG_CONFIG_HOME']
  // The XDG specification requires ignoring a relative path.
  return path.join(
    reported !== undefined && path.isAbsolute(reported) ? reported : path.join(homedir(), '.config'),
    'sluice',
  )
}

const WRITABLE_BY_GROUP = 0o020
const WRITABLE_BY_ALL = 0o002

/**
 * Checks the file, its folder, and a link to the file. @returns null if no other user can have written the file,
 * otherwise the reason, or `missing`
 */
export function unsafeReason(file: string, uid: number | null): string | null {
  try {
    const real = realpathSync(file)
    if (!statSync(real).isFile()) return 'missing'
    if (uid === null) return null
    if (lstatSync(file).uid !== uid) return 'the file belongs to another user'
    for (const name of new Set([file, real])) {
      const why = unsafeReasonAt(name, uid)
      if (why !== null) return why
    }
    return null
  } catch {
    return 'missing'
  }
}

function unsafeReasonAt(file: string, uid: number): string | null {
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
