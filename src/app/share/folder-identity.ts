/**
 * Checks that a folder is the folder of the submitted run. Workers share buckets and databases across machines, but
 * folders only on one machine.
 */
import { randomUUID } from 'node:crypto'
import { existsSync, readdirSync, readFileSync, realpathSync, statSync, writeFileSync } from 'node:fs'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { SluiceError } from '../../shared/errors.ts'
import type { QueuedStore } from '../../model/share/queue-port.ts'

/** Id of this installation, stable across reboots (machine-id(5)). */
const MACHINE = '/etc/machine-id'

/**
 * Prefix of a marker file with a unique name: another disk at the same path may have the same inode number, but not
 * this file. Its content is for users.
 */
const MARK = '.sluice-folder-id-'
const MARKED = new RegExp(`^(?<place>.*?)(?: (?<mark>\\${MARK}[\\da-f-]{36}))?$`, 's')
const CONTENT =
  'sluice compares the name of this file where several hosts work on this folder, so that another disk at the same path is refused. Leave it here.\n'

/**
 * Identity of a folder: machine, real path, inode number and marker.
 * @param isWritten true if a run writes to the folder: creates a missing marker, or warns if that is impossible
 * @throws SluiceError NO_SUCH_PATH, TARGET_IO
 */
export function identifiedFolder(folder: string, isWritten: boolean, warn: (message: string) => void): QueuedStore {
  const place = placeOf(folder)
  const mark = markOf(folder) ?? (isWritten ? newMark(folder, warn) : null)
  return { name: folder, identity: mark === null ? place : `${place} ${mark}`, label: folder }
}

/**
 * How a folder differs from an identity, as text; null if it is the same. An identity without a marker belongs to a
 * folder that had none.
 * @throws SluiceError NO_SUCH_PATH
 */
export function folderDifference(folder: string, identity: string): string | null {
  const { place, mark } = MARKED.exec(identity)?.groups ?? {}
  if (placeOf(folder) !== place) return 'its machine, its path without links or its inode number differs'
  if (mark === undefined || existsSync(join(folder, mark))) return null
  return `it has no file ${mark}: another disk is mounted there, or that file was removed`
}

function placeOf(folder: string): string {
  try {
    const whole = realpathSync(folder)
    return `${machine()} ${whole} ${statSync(whole, { bigint: true }).ino}`
  } catch {
    throw new SluiceError('NO_SUCH_PATH', `there is no folder ${folder} on ${hostname()}`, {
      hint: 'create or mount it first: workers compare it with the folder at the start of the run',
    })
  }
}

/** Name of the marker file; null if there is none. Concurrent commands may each create a marker: all are valid. */
function markOf(folder: string): string | null {
  try {
    return readdirSync(folder).find((name) => name.startsWith(MARK)) ?? null
  } catch {
    return null
  }
}

/** Creates a marker file. @returns its name; null if this user has no right to write to the folder: then it warns */
function newMark(folder: string, warn: (message: string) => void): string | null {
  const name = `${MARK}${randomUUID()}`
  const file = join(folder, name)
  try {
    writeFileSync(file, CONTENT, { flag: 'wx', flush: true })
    return name
  } catch (thrown) {
    const error = thrown as NodeJS.ErrnoException
    if (DENIED.has(error.code ?? '')) {
      warn(
        `sluice cannot write a marker file into ${folder}, so workers do not notice another disk at this path: ${error.message}`,
      )
      return null
    }
    throw new SluiceError('TARGET_IO', 'sluice cannot write the marker file that workers compare', {
      where: `${file}: ${error.message}`,
      hint: 'make sure that files can be created in this folder, then run the same command again',
      cause: error,
    })
  }
}

const DENIED: ReadonlySet<string> = new Set(['EACCES', 'EPERM', 'EROFS'])

/** True for the name of a folder: names of the config file contain no slash. */
export function isFolderName(name: string): boolean {
  return name.startsWith('/')
}

function machine(): string {
  try {
    return readFileSync(MACHINE, 'utf8').trim() || hostname()
  } catch {
    return hostname()
  }
}
