/** Stages of a copy that open its stores. The caller closes them. */
import type { CopyStore } from '../../../../model/copy/port.ts'
import { derivedStore } from '../../../../stores/common/derived/index.ts'
import { refusedForAgain } from '../../again/delete-extra.ts'
import type { CopyEvent } from '../../copy-run.ts'
import { refuseUnknownTables } from '../../recount/recount-earlier.ts'
import { isMissingFile, openCopyStore, openSourceStore } from '../../open-stores.ts'
import { planCopy, type Planner } from '../../plan/plan-copy.ts'
import { viewPerQuery, type SourceViews } from '../../source-views.ts'
import { retryMsOf } from '../../workers/failure.ts'
import { openWithRetries, withRetries } from '../../workers/retries.ts'
import type { BegunCopy } from './begin.ts'

/** A copy whose source is open and can be queried for planning. */
export type OpenedCopy = BegunCopy & {
  readonly from: CopyStore
  readonly views: SourceViews
  /** Calls a server, and retries after transient failures. */
  readonly again: Planner['again']
  readonly planning: Planner
}

/** @throws as `openSourceStore` */
export async function openCopySource(begunCopy: BegunCopy): Promise<CopyStore> {
  const { operation, companion, options } = begunCopy
  const store = await opened(begunCopy, () =>
    openSourceStore(operation.from, operation.cassandra, {
      yields: true,
      ...options,
      ...(companion === null ? {} : { moving: true }),
    }),
  )
  return derivedStore(store, operation)
}

/** Prepares planning; without a stream, also opens the read view. @throws errors of reading the source */
export async function preparePlanning(begunCopy: BegunCopy, from: CopyStore, views: SourceViews): Promise<OpenedCopy> {
  const { companion, run, steering } = begunCopy
  const again: Planner['again'] = (body) =>
    withRetries(body, { emit: run.emit, retryMs: retryMsOf(from) }, steering.stop)
  if (companion === null) await again(() => views.current())
  const planning: Planner = {
    views: companion === null ? views : viewPerQuery(views),
    again,
    signal: run.interrupt.abort,
    // With a stream, rows change between reads, so each plan reads the extents again.
    ...(companion === null ? { extents: new Map() } : {}),
  }
  return { ...begunCopy, from, views, again, planning }
}

/**
 * Opens the target. A refused copy creates no file: it is planned against a temporary empty database. @throws as
 * `openCopyStore`
 */
export async function openCopyTarget(openedCopy: OpenedCopy): Promise<CopyStore> {
  const { operation, options, throttle, weak } = openedCopy
  const isRefused = !operation.dryRun && isMissingFile(operation.to) && (await isRefusedWhole(openedCopy))
  return await opened(openedCopy, () =>
    openCopyStore(operation.to, {
      mode: operation.dryRun || isRefused ? 'plan' : 'write',
      ...options,
      ...(operation.batchRows === undefined ? {} : { rowsPerInsert: operation.batchRows }),
      onThrottle: ({ status, waitMs }) =>
        throttle.slowDown(`the target answers ${status}, and asks to wait ${Math.ceil(waitMs / 1000)} s`),
      ...(operation.cassandra === undefined ? {} : { cassandra: operation.cassandra }),
      onWeakWrite: (table, key) => weak.note(table, key),
    }),
  )
}

/** True if no table can be copied into the missing file. @throws SluiceError if the copy cannot be planned */
async function isRefusedWhole({ operation, companion, from, planning, run }: OpenedCopy): Promise<boolean> {
  await using empty = await openCopyStore(operation.to, { mode: 'plan' })
  const planned = refusedForAgain(await planCopy(operation, from, empty, planning), operation)
  refuseUnknownTables(operation.acceptDifference ?? [], planned.tables)
  const events: CopyEvent[] = []
  try {
    const quiet = { ...run, emit: (event: CopyEvent) => void events.push(event) }
    await companion?.inspect({ operation, planned, run: quiet, database: null })
  } catch (thrown) {
    // On success the events are dropped here: the later check emits them again.
    for (const event of events) run.emit(event)
    throw thrown
  }
  return planned.tables.every(({ error }) => error !== null)
}

function opened({ run, steering }: BegunCopy, body: () => Promise<CopyStore>): Promise<CopyStore> {
  return openWithRetries(body, { emit: run.emit }, steering.stop)
}
