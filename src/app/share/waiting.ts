/** Texts for waiting runs: no worker has their version and queue, or their queue was copied. */
import { TASK_LIMITS } from '../../engine/run/operations/global-options.ts'
import type { DistributedRun } from '../../model/share/distributed.ts'
import { shellQuote } from '../../shared/shell.ts'

type WaitingText = { readonly message: string; readonly hint: string }

/** Message and hint for a run that waits for a worker or a confirmation; null if it does not wait. */
export function waitingText(run: DistributedRun): WaitingText | null {
  const { runId, program, queue, commandLine, isWaiting, isUnconfirmed } = run
  if (isUnconfirmed) return unconfirmedText(runId)
  if (!isWaiting) return null
  const from = queue === null ? '' : ` that takes from the queue ${queue}`
  return {
    message: `the run ${runId} waits: there is no live worker of version ${program}${from}`,
    hint: `start one; or run sluice ctl ${runId} stop --distributed, then the same command with this version, whose workers resume from ledger and catalog: ${commandLine}${queueFlags(run)} (without${queueFlags(run)} this machine does the work)`,
  }
}

/** Flags that put a printed command into the same queue, for the same number of tasks: `--distributed --tasks 8`. */
function queueFlags({ queue, slots: { whole } }: DistributedRun): string {
  const tasks = whole === 0 || whole === TASK_LIMITS.fallback ? '' : ` --tasks ${whole}`
  return ` --distributed${tasks}${queue === null ? '' : ` --queue ${shellQuote(queue)}`}`
}

/** Message and hint for an unconfirmed run: in a copy of the queue's database, the run may be unwanted. */
export function unconfirmedText(runId: string): WaitingText {
  return {
    message: `the run ${runId} does not start: it was queued in another database, and this queue is a copy, or was moved, restored from a backup or promoted while no worker ran`,
    hint: `sluice ctl ${runId} resume --distributed confirms it; sluice ctl ${runId} stop --distributed ends it here`,
  }
}
