/** Whether a folder is the same one here and where a run was begun: workers share buckets and databases with other machines, and folders with those of one. */
import { readFileSync, realpathSync, statSync } from 'node:fs'
import { hostname } from 'node:os'
import { SluiceError } from '../../shared/errors.ts'
import type { NamedStore } from '../../model/share/queue-port.ts'

/** Of this installation, and kept when it is started again (machine-id(5)). */
const MACHINE = '/etc/machine-id'

/**
 * A folder by its machine, its path without links, and its number there: where a disk is not mounted, or a folder was made anew, it is another one.
 * @throws SluiceError NO_SUCH_PATH
 */
export function identifiedFolder(folder: string): NamedStore {
  try {
    const whole = realpathSync(folder)
    return { name: folder, identity: `${machine()} ${whole} ${statSync(whole, { bigint: true }).ino}`, label: folder }
  } catch {
    throw new SluiceError('NO_SUCH_PATH', `there is no folder ${folder} on ${hostname()}`, {
      hint: 'make it first, or mount it: workers compare it with what it was when the run was begun',
    })
  }
}

/** Whether the name of a store is that of a folder: names of the config file hold no slash. */
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
