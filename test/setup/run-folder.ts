/**
 * One temporary folder for a whole test run, removed after it, also with files of a test file that did not load. It is
 * in memory if there is enough space: files of a killed program or server survive in both cases, and only a power cut,
 * which no test makes, would show a difference.
 */
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'

/** Linux's file system in memory, often too small for a run in containers. */
const MEMORY = '/dev/shm'
/** Several times the largest use of a run, so that the machine is not short of memory. */
const ROOM_BYTES = 6 * 2 ** 30
/** Short, because the path of a socket is limited to 107 bytes. */
const PREFIX = 'sl-run-'

export default function makeRunFolder(): () => void {
  // Every project of a run calls this, each from its own copy of this module.
  if (process.env['SLUICE_TEST_FOLDER']) return () => undefined
  const parent = parentFolder()
  removeOrphans(parent)
  const folder = fs.mkdtempSync(path.join(parent, `${PREFIX}${process.pid}-`))
  fs.chmodSync(folder, 0o755)
  process.env['SLUICE_TEST_FOLDER'] = folder
  process.env['TMPDIR'] = folder // the workers inherit it
  // Keeps test runs out of the user's own run history.
  process.env['XDG_STATE_HOME'] = path.join(folder, 'state')
  return () => remove(folder)
}

/** A folder that an environment variable names is used. */
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

/** Removes folders of killed runs, which would take memory until the machine restarts. */
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
