/** Who holds the lease of a table. */
import type { Holder } from '../catalog/lease.ts'
import type { Run } from './run-context.ts'

/** A run as the holder of a table's lease. */
export function holderOf(run: Run, tableId: string): Holder {
  return { owner: `${run.runId}/${tableId}`, host: run.host, pid: process.pid, command: run.commandLine }
}
