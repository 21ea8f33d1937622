/**
 * Found config files that this user has trusted, each with the sha256 of its content. Ownership is not enough: a lake
 * from a clone or an archive also belongs to the user, although another person wrote it.
 */
import { createHash, randomUUID } from 'node:crypto'
import { readFileSync, realpathSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { makeFolderSync } from '../../shared/make-folder.ts'
import { SluiceError } from '../../shared/errors.ts'
import { stateFolder } from '../../shared/state-folder.ts'

export type TrustRequest = { readonly folder: string; readonly action: 'trust' | 'list' | 'remove' }

type Env = Readonly<Record<string, string | undefined>>
/** sha256 in hex, by real path. */
type Trusted = ReadonlyMap<string, string>

const LINE = /^([0-9a-f]{64}) (.+)$/s

/** sha256 of the content, in hex. @throws the file system error if it cannot be read */
export function contentHash(file: string): string {
  return createHash('sha256').update(readFileSync(file)).digest('hex')
}

/** True if this user has trusted the file with its current content; false if it cannot be read. */
export function isTrusted(file: string, env: Env): boolean {
  try {
    return trusted(env).get(realpathSync(file)) === contentHash(file)
  } catch {
    return false
  }
}

/** True if the file was trusted with other content. */
export function hasChanged(file: string, env: Env): boolean {
  return trusted(env).has(realpathSync(file)) && !isTrusted(file, env)
}

/**
 * Trusts the file with this content, not with later changes.
 * @throws SluiceError TARGET_DENIED if the state folder cannot be written
 */
export function trustFile(file: string, env: Env, hash = contentHash(file)): void {
  store(new Map([...trusted(env), [realpathSync(file), hash]]), env)
}

/** @returns true if the file was trusted @throws SluiceError TARGET_DENIED if the state folder cannot be written */
export function withdrawTrust(file: string, env: Env): boolean {
  const left = new Map(trusted(env))
  // A deleted file has no real path any more: search the path under which it was trusted.
  const wasTrusted = [path.resolve(file), realOf(file)].map((name) => left.delete(name)).includes(true)
  if (wasTrusted) store(left, env)
  return wasTrusted
}

/** Real paths of all trusted files, sorted. */
export function trustedFiles(env: Env): readonly string[] {
  return [...trusted(env).keys()].toSorted()
}

function realOf(file: string): string {
  try {
    return path.join(realpathSync(path.dirname(file)), path.basename(file))
  } catch {
    return file
  }
}

const storeFile = (env: Env): string => path.join(stateFolder(env), 'trusted-configs')

function trusted(env: Env): Trusted {
  let text: string
  try {
    text = readFileSync(storeFile(env), 'utf8')
  } catch {
    return new Map()
  }
  return new Map(text.split('\0').flatMap((line) => lineOf(line)))
}

function lineOf(line: string): readonly (readonly [string, string])[] {
  const [, hash, file] = LINE.exec(line) ?? []
  return hash === undefined || file === undefined ? [] : [[file, hash]]
}

function store(files: Trusted, env: Env): void {
  const file = storeFile(env)
  const part = `${file}.${randomUUID()}.part`
  try {
    makeFolderSync(path.dirname(file), 0o700)
    writeFileSync(part, [...files].map(([name, hash]) => `${hash} ${name}\0`).join(''), { flag: 'wx', mode: 0o600 })
    renameSync(part, file)
  } catch (cause) {
    rmSync(part, { force: true })
    throw new SluiceError('TARGET_DENIED', 'the list of trusted config files cannot be written', {
      where: file,
      reason: cause instanceof Error ? cause.message : String(cause),
      hint: 'make the state folder writable, or name the file with --config',
      cause,
    })
  }
}
