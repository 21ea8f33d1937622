/**
 * Who works: a process of a machine, told from every other one, and whether it has ended. Two containers of one host
 * name have processes of their own under the same numbers; a number is given to another process when the first has
 * ended.
 */
import { randomUUID } from 'node:crypto'
import { readFileSync, readlinkSync } from 'node:fs'
import { hostname } from 'node:os'

/** One process, as others can ask for it. */
export type ProcessIdentity = {
  /**
   * Where its number means this process: one start of one kernel, and a namespace of process numbers; null where the
   * system does not tell.
   */
  readonly machine: string | null
  /** For people. */
  readonly host: string
  readonly pid: number
  /**
   * When it began, in ticks since the machine's start (proc_pid_stat(5), field 22): tells it from a later one of its
   * number; null where unknown.
   */
  readonly started: string | null
}

/** Whoever holds a lease: a process, and an id that no other owner has, in this process or elsewhere. */
export type Owner = ProcessIdentity & { readonly id: string }

/** An identity as a row has it, which may be one of an older program. */
export type StoredIdentity = {
  readonly machine: string | null
  readonly host: string | null
  readonly pid: number | null
  readonly started: string | null
}

/** What is known of a process: `unknown` where it is of another machine, so that only its silence tells. */
export type Fate = 'lives' | 'ended' | 'unknown'

/** What this machine says of its processes. */
export type ProcessLook = {
  readonly isAlive: (pid: number) => boolean
  /** As `ProcessIdentity.started`. */
  readonly startOf: (pid: number) => string | null
}

const SYSTEM: ProcessLook = { isAlive, startOf }

let own: Omit<ProcessIdentity, 'host'> | null = null

/** This process. @param host its machine's name, for people */
export function thisProcess(host = hostname()): ProcessIdentity {
  own ??= { machine: readMachine(), pid: process.pid, started: startOf(process.pid) }
  return { ...own, host }
}

/** This process as an owner who never was. */
export function newOwner(host = hostname()): Owner {
  return { ...thisProcess(host), id: randomUUID() }
}

/**
 * What is known of the process of a row.
 * @param here this process
 */
export function fateOf(one: StoredIdentity, here: ProcessIdentity, look: ProcessLook = SYSTEM): Fate {
  const { machine, host, pid, started } = one
  if (pid === null) return 'unknown'
  // Rows of older programs, and of systems that do not tell, have nothing but the name.
  if (machine === null ? host !== here.host : machine !== here.machine) return 'unknown'
  if (!look.isAlive(pid)) return 'ended'
  const now = machine === null || started === null ? null : look.startOf(pid)
  return now !== null && now !== started ? 'ended' : 'lives'
}

/**
 * Whether the process of a row has ended for sure, so that nobody needs to wait for its lease. @param here this process
 */
export function hasEnded(one: StoredIdentity, here: ProcessIdentity, look: ProcessLook = SYSTEM): boolean {
  return fateOf(one, here, look) === 'ended'
}

/**
 * Whether a process of this machine still runs. One that ended and was never reaped, as below a PID 1 that reaps
 * nobody, does not.
 */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
  } catch (error) {
    return (error as { code?: string }).code === 'EPERM'
  }
  return !/^[ZX]/.test(statusOf(pid)?.[0] ?? '')
}

/** When a process of this machine began, in ticks since the machine's start; null where the system does not tell. */
export function startOf(pid: number): string | null {
  return statusOf(pid)?.[START] ?? null
}

/**
 * CPU time that a process of this machine has used, with all its threads, in clock ticks; null where the system does
 * not report it.
 */
export function cpuOf(pid: number): number | null {
  const status = statusOf(pid)
  return status === null ? null : Number(status[USER_TIME]) + Number(status[USER_TIME + 1])
}

/** Place of the start among the words behind the name. */
const START = 19
/** Place of the time in user mode; that in the kernel is the next word. */
const USER_TIME = 11

/**
 * The words of proc_pid_stat(5) behind the name in parentheses, of which the first is the state; null where the system
 * does not tell.
 */
function statusOf(pid: number): readonly string[] | null {
  if (process.platform !== 'linux') return null
  try {
    // A /proc of another namespace has other processes under the same numbers.
    if (readlinkSync('/proc/self') !== String(process.pid)) return null
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  } catch {
    return null
  }
}

function readMachine(): string | null {
  if (process.platform !== 'linux') return null
  try {
    const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').trim()
    // pid:[4026531836]
    const namespace = /\d+/.exec(readlinkSync('/proc/self/ns/pid'))?.[0]
    return boot === '' || namespace === undefined ? null : `${boot}/${namespace}`
  } catch {
    return null
  }
}
