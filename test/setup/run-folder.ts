/**
 * One temporary folder for a whole run of the tests, removed after it: also what a file that never loaded has made. It lies in memory where there is
 * room for it: what a killed program or server has written is there in either case, and only a power cut, which no test makes, could tell the two apart.
 */
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'

/** Linux's file system in memory. In containers it is often too small for a run. */
const MEMORY = '/dev/shm'
/** Several times what a run holds at once, so that it is no burden for the machine. */
const ROOM_BYTES = 6 * 2 ** 30
/** Short, because the path of a socket may have 107 bytes. */
const PREFIX = 'sl-run-'

export default function makeRunFolder(): () => void {
  // Every project of a run asks for it, each from a copy of this module.
  if (process.env['SLUICE_TEST_FOLDER']) return () => undefined
  const parent = parentFolder()
  removeOrphans(parent)
  const folder = fs.mkdtempSync(path.join(parent, `${PREFIX}${process.pid}-`))
  fs.chmodSync(folder, 0o755)
  process.env['SLUICE_TEST_FOLDER'] = folder
  process.env['TMPDIR'] = folder // the workers inherit it
  // What tests run is in no book of the user's own runs.
  process.env['XDG_STATE_HOME'] = path.join(folder, 'state')
  return () => remove(folder)
}

/** A folder that somebody named stays the one. */
function parentFolder(): string {
  if (process.env['TMPDIR'] !== undefined || os.platform() !== 'linux') return os.tmpdir()
  try {
    const { bavail, bsize } = fs.statfsSync(MEMORY)
    fs.accessSync(MEMORY, fs.constants.W_OK)
    return bavail * bsize >= ROOM_BYTES && os.freemem() >= ROOM_BYTES ? MEMORY : os.tmpdir()
  } catch {
    return os.tmpdir()
  }
}

/** What runs that were killed have left would take memory until the machine is started anew. */
function removeOrphans(parent: string): void {
  for (const name of fs.readdirSync(parent)) {
    const pid = new RegExp(`^${PREFIX}(\\d+)-`).exec(name)?.[1]
    if (pid === undefined) continue
    try {
      process.kill(Number(pid), 0)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ESRCH') remove(path.join(parent, name))
    }
  }
}

function remove(folder: string): void {
  fs.rmSync(folder, { recursive: true, force: true, maxRetries: 3 })
}
