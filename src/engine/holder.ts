/** Who holds the lease of a table. */
import { readFileSync } from 'node:fs'
import type { Holder } from '../catalog/lease.ts'
import type { Run } from './run-context.ts'

/** A run as the holder of a table's lease. */
export function holderOf(run: Run, tableId: string): Holder {
  return { owner: `${run.runId}/${tableId}`, host: run.host, pid: process.pid, command: run.commandLine }
}

/** Whether a process of this machine still runs. One that ended and was never reaped, as below a PID 1 that reaps nobody, does not. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
  } catch (error) {
    return (error as { code?: string }).code === 'EPERM'
  }
  return !isZombie(pid)
}

/** Linux tells (proc(5), the state behind the name in parentheses); elsewhere PID 1 always reaps. */
function isZombie(pid: number): boolean {
  if (process.platform !== 'linux') return false
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
    return /^[ZX]/.test(stat.slice(stat.lastIndexOf(')') + 2))
  } catch {
    return false
  }
}
