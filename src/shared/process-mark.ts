/**
 * Names of files and folders that belong to one process, so that others know whether they are left over. Folders are
 * shared by containers, in which other processes have the same numbers.
 */
import { createHash } from 'node:crypto'
import { hasEnded, thisProcess, type ProcessIdentity, type ProcessLook } from './owner.ts'

/** For a regular expression: machine, number and start of a process. */
export const MARK = String.raw`([0-9a-f]{8})-(\d+)-(\d+)`

/** When what belongs to a process of which nobody can tell whether it lives is taken for a dead one's, ms. */
const FORGOTTEN_MS = 7 * 86_400_000
/** What is left of a program that wrote no machine into its names is touched no more, ms. */
const QUIET_MS = 3_600_000
/** How exactly the time of a file and the start of a process compare, ms. */
const TICK_MS = 1000

/** The mark of this process: no other one has it, unless the system does not tell when processes began. */
export function ownMark(): string {
  const here = thisProcess()
  return `${tagOf(here)}-${here.pid}-${here.started ?? '0'}`
}

/** The machine as names have it. */
function tagOf({ machine, host }: ProcessIdentity): string {
  return createHash('sha256')
    .update(machine ?? host)
    .digest('hex')
    .slice(0, 8)
}

/**
 * Whether what is marked belongs to a process that has ended.
 * @param parts of `MARK` @param modified when it was last touched, ms since the epoch
 */
export function isLeft(
  [tag = '', pid = '', started = '']: readonly string[],
  modified: number,
  here: ProcessIdentity = thisProcess(),
  look?: ProcessLook,
): boolean {
  const age = Date.now() - modified
  if (tag !== tagOf(here)) return age > FORGOTTEN_MS
  const one = { machine: here.machine, host: here.host, pid: Number(pid), started: started === '0' ? null : started }
  if (hasEnded(one, here, look)) return true
  // Of a process that had our number, where no start tells it from us.
  return one.pid === here.pid && one.started === null && age > process.uptime() * 1000 + TICK_MS
}

/** The same of names of before, which have the number of the process only. */
export function isLeftUnmarked(pid: number, modified: number): boolean {
  const here = thisProcess()
  const one = { machine: here.machine, host: here.host, pid, started: null }
  return Date.now() - modified > QUIET_MS && (hasEnded(one, here) || pid === here.pid)
}
