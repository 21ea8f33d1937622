/**
 * Copies tables of a stream again within the stream, because changes may be missing: empties them, publishes them
 * again, and copies them as if the stream began with them. Changes from before the new copy are skipped. The other
 * tables keep their rows, and get no changes until the copy has ended.
 */
import { isCalled, tableText } from '../../../model/copy/column-type.ts'
import { SluiceError } from '../../../shared/errors.ts'
import { RESTART_STREAM } from '../../../model/follow/lost-stream.ts'
import type { StreamStart } from '../../../model/follow/port.ts'
import { ChunkLedger } from '../../copy/ledger/chunks.ts'
import { RunLedger } from '../../copy/ledger/runs.ts'
import { emptyTables } from '../apply/empty-tables.ts'
import { refuseAltered } from '../stream/altered-meanwhile.ts'
import type { FollowingParts, StreamSides } from '../stream/preflight.ts'
import type { FollowTable } from '../stream/followed-table.ts'
import { missingTables } from '../stream/halt.ts'
import { totalChanges, type StreamRow } from '../../copy/ledger/stream-row.ts'
import type { StreamLedger } from '../../copy/ledger/streams.ts'

const NONE = { inserts: 0, updates: 0, deletes: 0, truncates: 0 }

/**
 * Names of the source's tables to copy again: those requested from this run, and those left by a run that did not
 * finish.
 * @throws SluiceError BAD_FLAG for a table that is not in the stream, STREAM_HALTED for one that the source no longer
 * has, NOT_FOLLOWABLE if the source cannot publish single tables again
 */
export async function recopiedTables(
  { operation, planned, restarts }: FollowingParts,
  { id }: StreamRow,
  { changes }: StreamSides,
  ledger: StreamLedger,
): Promise<ReadonlySet<string>> {
  const stored = await ledger.tables(id, changes)
  const left = stored.flatMap(({ source, state }) => (state === 'resync' ? [source] : []))
  const asked = (operation.follow?.resync ?? []).map((wanted) => {
    const found = planned.tables.filter(({ source }) => isCalled(source.table, wanted))
    const [only, ...more] = found.map(({ source }) => tableText(source.table))
    if (only !== undefined && more.length === 0) return only
    const gone = stored.filter(({ source }) => source === wanted || source.endsWith(`.${wanted}`))
    if (only === undefined && gone.length > 0)
      throw missingTables(
        id,
        gone.map(({ source }) => source),
      )
    throw new SluiceError(
      'BAD_FLAG',
      only === undefined
        ? `--resync names ${wanted}, which stream ${id} does not follow`
        : `--resync names ${wanted}, which matches ${[only, ...more].join(' and ')}`,
      { hint: `name one of ${stored.map(({ source }) => source).join(', ')}` },
    )
  })
  if (asked.length > 0 && changes.renew === undefined) {
    throw new SluiceError('NOT_FOLLOWABLE', 'single tables of this stream cannot be copied again', {
      hint: `copy all of them again: ${RESTART_STREAM}`,
    })
  }
  const due = new Set([...left, ...asked])
  for (const { source, key } of stored)
    if (asked.includes(source) && !left.includes(source) && (await restarts?.has('resync', key)) === true)
      due.delete(source)
  return due
}

/**
 * Empties and publishes the tables again; steps of an interrupted run are repeated.
 * @param recopied as `recopiedTables` returns it
 * @returns the stream's start record from here on
 * @throws SluiceError SLOT_LOST, STREAM_HALTED if all tables of the stream have lost changes; NOT_FOLLOWABLE if one was
 * altered since the plan; TARGET_BUSY
 */
export async function resyncTables(
  { planned, database, owner, run, restarts, stopping }: FollowingParts,
  { changes, target }: StreamSides,
  ledger: StreamLedger,
  { id, startRecord }: { readonly id: string; readonly startRecord: StreamStart },
  tables: readonly FollowTable[],
  recopied: ReadonlySet<string>,
): Promise<StreamStart> {
  const found = tables.filter(({ name }) => recopied.has(name))
  if (found.length === 0 || changes.renew === undefined) return startRecord
  // Nothing is emptied yet: a stop need not wait for other sessions' transactions.
  const signal = AbortSignal.any([run.interrupt.abort, stopping])
  const keys = found.map(({ key }) => key)
  await ledger.noteState(id, keys, 'resync', null)
  const { position } = await ledger.progress(id, changes)
  const again = await changes.renew(
    startRecord,
    found.map(({ source }) => source),
    changes.position(position),
    signal,
    (message) => run.emit({ type: 'log', level: 'note', message }),
  )
  await refuseAltered(found, planned.from, run.interrupt.abort)
  const names = new Set([...(startRecord.recopied ?? []), ...found.map(({ name }) => name)])
  const renewed: StreamStart = { ...again, recopied: [...names] }
  const runs = new RunLedger(database, owner)
  for (const { key } of found) {
    await new ChunkLedger(database, key, owner).retireAll('resync', null)
    await runs.forgetPlan(key)
  }
  const workers = (await ledger.applyWorkers(id)).map(({ worker, counts }) => ({
    worker,
    counts: Object.fromEntries(
      Object.entries(counts).map(([name, own]) => [
        name,
        recopied.has(name) ? { ...NONE, before: totalChanges(own) } : own,
      ]),
    ),
  }))
  const noted = [...ledger.resyncStatements(id, renewed, keys, workers), ...(restarts?.notes('resync', keys) ?? [])]
  const there = found.filter(({ plan }) => !plan.create)
  if (there.length === 0) await database.batch(noted)
  else await emptyTables(there, target, noted, ledger.startQuery(id, renewed), run)
  for (const { name } of found) run.emit({ type: 'follow.table', table: name, state: 'copying' })
  return renewed
}
