/** Runs whose slots no living worker takes: those of another version, or of a queue that none takes from. */
import type { DistributedRun } from '../../model/distributed.ts'

/** Which workers a run waits for, and how this version goes on with its work; null where it does not wait. */
export function waitingText({
  runId,
  program,
  queue,
  commandLine,
  isWaiting,
}: Pick<DistributedRun, 'runId' | 'program' | 'queue' | 'commandLine' | 'isWaiting'>): {
  readonly message: string
  readonly hint: string
} | null {
  if (!isWaiting) return null
  const from = queue === null ? '' : ` that takes from the queue ${queue}`
  return {
    message: `the run ${runId} waits: no worker of version ${program}${from} lives`,
    hint: `start one; or sluice ctl ${runId} stop --distributed, and then the same command with this version, which goes on from ledger and catalog by workers of it: ${commandLine} --distributed (without --distributed this machine does the work)`,
  }
}
