/**
 * Identifies a process of a machine, and tests whether it has ended. A PID is not enough: containers of one host have
 * the same PIDs for different processes, and a PID is reused once its process has ended.
 */
import { randomUUID } from 'node:crypto'
import { readFileSync, readlinkSync } from 'node:fs'
import { hostname } from 'node:os'

/** Identity of a process that other processes can check. */
export type ProcessIdentity = {
  /** Scope of the PID: one boot of one kernel, and a PID namespace; null if the system does not report it. */
  readonly machine: string | null
  /** Name of the host, for messages only. */
  readonly host: string
  readonly pid: number
  /** Start of the process, in ticks since boot (proc_pid_stat(5), field 22): shows a reused PID; null if unknown. */
  readonly started: string | null
}

/** The owner of a lease: a process, and an id that no other owner has, in this process or elsewhere. */
export type Owner = ProcessIdentity & { readonly id: string }

/** An identity as stored in a row, possibly by an older program. */
export type StoredIdentity = {
  readonly machine: string | null
  readonly host: string | null
  readonly pid: number | null
  readonly started: string | null
}

/** State of a process: `unknown` if it is on another machine, where only a missing heartbeat shows its end. */
export type ProcessStatus = 'lives' | 'ended' | 'unknown'

/** Functions that read the state of this machine's processes. */
export type ProcessProbe = {
  readonly isAlive: (pid: number) => boolean
  /** As `ProcessIdentity.started`. */
  readonly startOf: (pid: number) => string | null
}

const SYSTEM: ProcessProbe = { isAlive, startOf: processStart }

let own: Omit<ProcessIdentity, 'host'> | null = null

/** This process. @param host the name of its machine, for messages */
export function thisProcess(host = hostname()): ProcessIdentity {
  own ??= { machine: readMachine(), pid: process.pid, started: processStart(process.pid) }
  return { ...own, host }
}

/** This process as an owner with a new id. */
export function newOwner(host = hostname()): Owner {
  return { ...thisProcess(host), id: randomUUID() }
}

/**
 * The state of the process of a row.
 * @param here this process
 */
export function processStatusOf(
  one: StoredIdentity,
  here: ProcessIdentity,
  probe: ProcessProbe = SYSTEM,
): ProcessStatus {
  const { machine, host, pid, started } = one
  if (pid === null) return 'unknown'
  // Rows of older programs, and of systems without this information, have only the host name.
  if (machine === null ? host !== here.host : machine !== here.machine) return 'unknown'
  if (!probe.isAlive(pid)) return 'ended'
  const now = machine === null || started === null ? null : probe.startOf(pid)
  return now !== null && now !== started ? 'ended' : 'lives'
}

/** True if the process of a row has certainly ended, so that its lease need not be awaited. @param here this process */
export function hasEnded(one: StoredIdentity, here: ProcessIdentity, probe: ProcessProbe = SYSTEM): boolean {
  return processStatusOf(one, here, probe) === 'ended'
}

/** True if a process of this machine runs. False for a zombie: PID 1 of a container may never reap it. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
  } catch (error) {
    return (error as { code?: string }).code === 'EPERM'
  }
  return !/^[ZX]/.test(statusOf(pid)?.[0] ?? '')
}

/** The start of a process of this machine in ticks since boot; null if the system does not report it. */
export function processStart(pid: number): string | null {
  return statusOf(pid)?.[START] ?? null
}

/** CPU time that a process of this machine has used, with all its threads, in clock ticks; null if not reported. */
export function cpuOf(pid: number): number | null {
  const status = statusOf(pid)
  return status === null ? null : Number(status[USER_TIME]) + Number(status[USER_TIME + 1])
}

/** Index of the start time among the words after the name. */
const START = 19
/** Index of the CPU time in user mode; the next word is the CPU time in the kernel. */
const USER_TIME = 11

/** The words of proc_pid_stat(5) after the name in parentheses, the state first; null if the system has none. */
function statusOf(pid: number): readonly string[] | null {
  if (process.platform !== 'linux') return null
  try {
    // A /proc of another namespace has other processes with the same PIDs.
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
