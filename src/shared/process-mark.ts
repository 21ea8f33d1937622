/**
 * Names of files and folders that belong to one process, so that other processes recognize leftovers.
 * Containers may share a folder, and have different processes with the same PID.
 */
import { createHash } from 'node:crypto'
import { hasEnded, thisProcess, type ProcessIdentity, type ProcessProbe } from './owner.ts'

/** For a regular expression: machine, PID and start of a process. */
export const MARK = String.raw`([0-9a-f]{8})-(\d+)-(\d+)`

/** After this time, files of a process in an unknown state are treated as files of an ended process, ms. */
const FORGOTTEN_MS = 7 * 86_400_000
/** Unmarked leftovers must be unmodified for at least this time, ms. */
const QUIET_MS = 3_600_000
/** Tolerance when the time of a file is compared with the start of a process, ms. */
const TICK_MS = 1000

/** The mark of this process; unique, unless the system does not report the start of processes. */
export function ownMark(): string {
  const here = thisProcess()
  return `${tagOf(here)}-${here.pid}-${here.started ?? '0'}`
}

/** The machine in the form used in names. */
function tagOf({ machine, host }: ProcessIdentity): string {
  return createHash('sha256')
    .update(machine ?? host)
    .digest('hex')
    .slice(0, 8)
}

/**
 * True if a marked file belongs to a process that has ended.
 * @param parts of `MARK`
 * @param modified its last modification, ms since the epoch
 */
export function isLeftover(
  [tag = '', pid = '', started = '']: readonly string[],
  modified: number,
  here: ProcessIdentity = thisProcess(),
  probe?: ProcessProbe,
): boolean {
  const age = Date.now() - modified
  if (tag !== tagOf(here)) return age > FORGOTTEN_MS
  const one = { machine: here.machine, host: here.host, pid: Number(pid), started: started === '0' ? null : started }
  if (hasEnded(one, here, probe)) return true
  // Without start times, a file that is older than this process is from an earlier process with the same PID.
  return one.pid === here.pid && one.started === null && age > process.uptime() * 1000 + TICK_MS
}

/** As `isLeftover`, for older names, which have only the PID. */
export function isUnmarkedLeftover(pid: number, modified: number): boolean {
  const here = thisProcess()
  const one = { machine: here.machine, host: here.host, pid, started: null }
  return Date.now() - modified > QUIET_MS && (hasEnded(one, here) || pid === here.pid)
}
