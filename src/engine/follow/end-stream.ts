/** Ends a stream: nothing of it is left at the source, and its tables belong to nobody. */
import { SluiceError } from '../../shared/errors.ts'
import type { CopyStore } from '../../stores/copy-port.ts'
import type { CopyRun } from '../copy/copy-run.ts'
import { familyOf } from '../cutover/family.ts'
import { SwitchLedger } from '../cutover/switch-ledger.ts'
import { cdcOf } from './known-stream.ts'
import type { StreamLedger } from './ledger/streams.ts'
import type { StreamRow } from './ledger/stream-row.ts'
import { takeStream } from './take-stream.ts'

/**
 * Done twice it does no harm.
 * @param source the store that the stream reads
 * @param to the one that it writes
 * @throws SluiceError LEDGER_BUSY where a living program follows, PLAN_CHANGED where the source is another database
 */
export async function endStream(
  { id, birth, sourceIdentity, source: label, wishes }: StreamRow,
  source: CopyStore,
  to: CopyStore,
  ledger: StreamLedger,
  run: CopyRun,
): Promise<void> {
  if (source.identity !== sourceIdentity) {
    throw new SluiceError('PLAN_CHANGED', `stream ${id} reads from another database`, {
      where: source.label,
      reason: `it began at ${label}`,
      hint: `name that one with --from; where it is gone for good: UPDATE migration_streams SET status = 'ended' WHERE stream_id = '${id}'`,
    })
  }
  await takeStream(ledger, id, run)
  // While the stream is held, and has not ended: killed in between, the same command goes on.
  if (source.identity === to.identity) await endPrepared(id, to, ledger, run)
  const name = birth?.slot ?? streamName(id)
  const cdc = cdcOf({ id, wishes }, undefined)
  await source.changeSource?.(cdc)?.end(name, run.interrupt.abort)
  await ledger.note(id, 'ended')
  await ledger.release(id)
  const made = cdc === 'slot' ? `slot and publication ${name}` : `triggers and logs ${name}`
  run.emit({ type: 'log', level: 'note', message: `stream ${id} has ended: ${made} are removed` })
}

/** Removes what a program that was killed has made for a switch of this stream: slot and publication of the way back, and the guard of the new table. */
async function endPrepared(stream: string, store: CopyStore, ledger: StreamLedger, run: CopyRun): Promise<void> {
  const switches = new SwitchLedger(ledger.database, { ...run.owner, runId: BigInt(run.runId) })
  const { turns, preparing, newest } = familyOf(await switches.all(), stream)
  const changes = store.changeSource?.('slot')
  if (newest !== stream || preparing.length === 0 || changes === undefined) return
  const { abort: signal } = run.interrupt
  // From the second turn on the table is parked, and its guard stays.
  if (turns.length === 0)
    for (const { key } of await ledger.tables(stream, changes)) await store.switches?.().unguard(key, signal)
  for (const { id, reverse } of preparing) {
    const name = streamName(reverse)
    await changes.end(name, signal)
    await switches.giveUp(id)
    const message = `a switch that was being prepared is given up: slot and publication ${name} are removed`
    run.emit({ type: 'log', level: 'note', message })
  }
}

/** Name of slot and publication. */
export function streamName(stream: string): string {
  return `sluice_${stream}`
}
