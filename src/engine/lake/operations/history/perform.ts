/** `history`: what each commit did, newest first. */
import { commitsUpTo, type CommitRecord } from '../../../../catalog/query/history.ts'
import type { CommitSummary } from '../../../../delta/history.ts'
import { dec, type CommitEvent } from '../../../../model/run/event.ts'
import { isoTime } from '../../../../shared/clock.ts'
import { withTable, type TableSource } from '../../table-source.ts'
import { listLog } from '../../../../delta/listing.ts'
import { openLake } from '../../../run/registry.ts'
import { pathOfLocation } from '../../../../model/lake/lake-url.ts'
import type { Ending, RunOf } from '../../../run/run-context.ts'
import type { history, HistoryOperation } from './declaration.ts'

type HistoryRun = RunOf<typeof history>

export async function performHistory(operation: HistoryOperation, run: HistoryRun): Promise<Ending> {
  let commits = 0
  // One more commit is read, to know whether older commits are left out.
  let more = false
  let cut: string | null = null
  const report = (event: CommitEvent): void => {
    if (commits >= operation.limit) {
      more = true
      return
    }
    commits++
    run.emit(event)
  }
  const reportAll = async (source: TableSource): Promise<void> => {
    if (source.from === 'log') {
      const { abort: signal } = run.interrupt
      for await (const commit of source.table.history({ limit: operation.limit + 1, signal }))
        report(eventOfSummary(commit))
      if (!more) cut = await source.table.cutOff(signal)
      if (cut !== null) cut = `the list begins at v${(await source.table.buildableHistory(signal)).from}: ${cut}`
      return
    }
    const { tableId, latest, location } = source.table
    const checkpoints = await checkpointVersions(location, run.interrupt.abort)
    for (const commit of await commitsUpTo(source.database, tableId, latest, operation.limit + 1)) {
      report(eventOfRecord(commit, checkpoints.has(commit.version)))
    }
  }
  await withTable(operation.table, operation.catalog, {}, run, reportAll, 'all')
  if (more)
    run.emit({
      type: 'log',
      level: 'note',
      message: `there are older commits; --limit lists more than ${operation.limit}`,
    })
  if (cut !== null) run.emit({ type: 'log', level: 'note', message: cut })
  return { totals: { commits: dec(commits) } }
}

/** A commit of the catalog as an event. */
export function eventOfRecord(commit: CommitRecord, checkpoint: boolean): CommitEvent {
  return {
    ...doneBy(commit),
    files: dec(commit.files),
    bytes: dec(commit.bytes),
    ...(commit.rows === null ? {} : { rows: dec(commit.rows) }),
    checkpoint,
  }
}

/** A commit of the log as an event, without the table's totals: a commit does not have them. */
export function eventOfSummary(commit: CommitSummary): CommitEvent {
  return { ...doneBy(commit), checkpoint: commit.checkpoint }
}

function doneBy(commit: CommitRecord | CommitSummary): Omit<CommitEvent, 'checkpoint'> {
  return {
    type: 'commit',
    version: dec(commit.version),
    time: isoTime(commit.time),
    inCommitTime: commit.inCommitTime,
    ...(commit.operation === null ? {} : { operation: commit.operation }),
    ...(commit.engine === null ? {} : { engine: commit.engine }),
    adds: dec(commit.adds),
    removes: dec(commit.removes),
    addedBytes: dec(commit.addedBytes),
    removedBytes: dec(commit.removedBytes),
  }
}

/** Versions that have a checkpoint now; none if the log cannot be listed. */
export async function checkpointVersions(location: string, signal: AbortSignal): Promise<ReadonlySet<number>> {
  try {
    const listing = await listLog(await openLake(pathOfLocation(location)), { signal, attributes: false })
    return new Set(listing.checkpoints.map(({ version }) => version))
  } catch {
    return new Set()
  }
}
