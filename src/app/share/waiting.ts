/** Texts for runs that no worker takes: of another version or queue, or copied with their queue. */
import type { DistributedRun } from '../../model/share/distributed.ts'

type WaitingText = { readonly message: string; readonly hint: string }

/** What a run waits for, with a hint; null if it does not wait. */
export function waitingText({
  runId,
  program,
  queue,
  commandLine,
  isWaiting,
  isUnconfirmed,
}: Pick<
  DistributedRun,
  'runId' | 'program' | 'queue' | 'commandLine' | 'isWaiting' | 'isUnconfirmed'
>): WaitingText | null {
  if (isUnconfirmed) return unconfirmedText(runId)
  if (!isWaiting) return null
  const from = queue === null ? '' : ` that takes from the queue ${queue}`
  return {
    message: `the run ${runId} waits: there is no live worker of version ${program}${from}`,
    hint: `start one; or run sluice ctl ${runId} stop --distributed, then the same command with this version, whose workers resume from ledger and catalog: ${commandLine} --distributed (without --distributed this machine does the work)`,
  }
}

/** A run of one environment may be unwanted in a copy. */
export function unconfirmedText(runId: string): WaitingText {
  return {
    message: `the run ${runId} begins nothing: it was put into this queue in another database, and the queue is a copy, or was moved, restored from a backup or promoted while no worker was there`,
    hint: `sluice ctl ${runId} resume --distributed confirms it; sluice ctl ${runId} stop --distributed ends it here`,
  }
}
