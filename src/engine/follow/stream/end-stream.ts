/** Ends a stream: removes everything that belongs to it from the source, and releases its tables. */
import { otherSourceError } from './named-stream.ts'
import { changesBy } from '../../../model/copy/offers.ts'
import { SluiceError } from '../../../shared/errors.ts'
import type { CopyStore } from '../../../model/copy/port.ts'
import type { CopyRun } from '../../copy/copy-run.ts'
import { familyOf } from '../cutover/family.ts'
import { CutoverLedger } from '../cutover/cutover-ledger.ts'
import { compareRecordedTarget, targetText } from './recorded-target.ts'
import { cdcOf } from './known-stream.ts'
import type { StreamLedger } from '../../copy/ledger/streams.ts'
import type { StreamRow } from '../../copy/ledger/stream-row.ts'
import { takeStream } from './take-stream.ts'

/**
 * Ends a stream at both stores. Idempotent.
 * @param source the store that the stream reads
 * @param to the store that the stream writes
 * @param isMoved true if the user has confirmed that the stream belongs to this target; otherwise slot and publication
 * stay at the source if they may belong to another target
 * @throws SluiceError LEDGER_BUSY if a running program has the stream, or a cutover to another database is under way;
 * PLAN_CHANGED if the source is another database
 */
export async function endStreamAtBoth(
  { id, startRecord, sourceIdentity, source: label, wishes }: StreamRow,
  source: CopyStore,
  to: CopyStore,
  ledger: StreamLedger,
  run: CopyRun,
  isMoved = false,
): Promise<void> {
  if (source.identity !== sourceIdentity) {
    const ifGone = `; if it no longer exists: UPDATE migration_streams SET status = 'ended' WHERE stream_id = '${id}'`
    throw otherSourceError({ id, source: label }, source, ifGone)
  }
  await takeToEnd(id, source, to, ledger, run)
  // Do this before the stream is recorded as ended: after a kill in between, the same command resumes.
  if (source.identity === to.identity) await removePrepared(id, to, ledger, run)
  const name = startRecord?.slot ?? streamName(id)
  const cdc = cdcOf({ id, wishes }, undefined)
  const changes = changesBy(cdc, source)
  const made = cdc === 'slot' ? `slot and publication ${name}` : `triggers and logs ${name}`
  const isAsked = !isMoved && startRecord !== null && changes !== undefined
  const other = isAsked ? (await compareRecordedTarget(startRecord, changes, to, run)).other : null
  if (other === null) await changes?.end(name, run.interrupt.abort)
  await ledger.note(id, 'ended')
  await ledger.lease.release(id)
  if (other === null) {
    run.emit({ type: 'log', level: 'note', message: `stream ${id} has ended: ${made} are removed` })
    return
  }
  const message = `stream ${id} has ended only in this ledger: ${made} are kept at the source for ${targetText(other.noted)}`
  const byHand = changes?.endByHand?.(name) ?? `sluice slots --drop ${name} at the source`
  const gone = `if that target no longer exists, run: ${byHand}`
  const hint =
    other.place === 'moved'
      ? `if that target is this one under another name, run: sluice follow ${id} --moved --end; ${gone}`
      : gone
  run.emit({ type: 'log', level: 'warn', message, hint })
}

/**
 * Takes a stream that is about to be ended.
 * @throws SluiceError as `takeStream` and `refuseSwitching`
 */
export async function takeToEnd(
  stream: string,
  source: Pick<CopyStore, 'identity'>,
  to: Pick<CopyStore, 'identity' | 'label'>,
  ledger: StreamLedger,
  run: CopyRun,
): Promise<void> {
  await refuseSwitching(stream, source, to, ledger, run)
  await takeStream(ledger, stream, run)
  try {
    // While this program waited for the lease, its owner may have begun a cutover.
    await refuseSwitching(stream, source, to, ledger, run)
  } catch (error) {
    await ledger.lease.release(stream)
    throw error
  }
}

/**
 * Refuses if a cutover to another database may have closed the source's table to writers: without the stream, the table
 * would never be opened again.
 * @throws SluiceError LEDGER_BUSY
 */
async function refuseSwitching(
  stream: string,
  source: Pick<CopyStore, 'identity'>,
  to: Pick<CopyStore, 'identity' | 'label'>,
  { database }: Pick<StreamLedger, 'database'>,
  run: CopyRun,
): Promise<void> {
  if (source.identity === to.identity) return
  const switches = new CutoverLedger(database, { ...run.owner, runId: BigInt(run.runId) })
  const [left] = familyOf(await switches.all(), stream).preparing.filter((row) => row.stream === stream)
  if (left === undefined) return
  throw new SluiceError('LEDGER_BUSY', `a cutover of stream ${stream} to another database is under way`, {
    where: to.label,
    reason: `the state of the cutover is ${left.status}: the table of the source may be closed to writers`,
    hint: `run sluice cutover ${stream}, which completes or abandons the cutover; then end the stream`,
  })
}

/**
 * Removes what a killed program has created for a cutover of this stream: slot and publication of the reverse stream,
 * and the guard of the new table.
 */
async function removePrepared(stream: string, store: CopyStore, ledger: StreamLedger, run: CopyRun): Promise<void> {
  const switches = new CutoverLedger(ledger.database, { ...run.owner, runId: BigInt(run.runId) })
  const { turns, preparing, newest } = familyOf(await switches.all(), stream)
  const changes = store.offers.slotChanges?.()
  if (newest !== stream || preparing.length === 0 || changes === undefined) return
  const { abort: signal } = run.interrupt
  // From the second cutover on, this table is the old table: keep its guard.
  if (turns.length === 0)
    for (const { key } of await ledger.tables(stream, changes)) await store.offers.switches?.unguard(key, signal)
  for (const { id, reverse } of preparing) {
    const name = streamName(reverse)
    await changes.end(name, signal)
    await switches.giveUp(id)
    const message = `a cutover that was being prepared is given up: slot and publication ${name} are removed`
    run.emit({ type: 'log', level: 'note', message })
  }
}

/** Name of slot and publication. */
export function streamName(stream: string): string {
  return `sluice_${stream}`
}
