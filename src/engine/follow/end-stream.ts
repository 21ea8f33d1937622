/** Ends a stream: nothing of it is left at the source, and its tables belong to nobody. */
import { SluiceError } from '../../shared/errors.ts'
import type { CopyStore } from '../../stores/copy-port.ts'
import type { CopyRun } from '../copy/copy-run.ts'
import { cdcOf } from './known-stream.ts'
import type { StreamLedger } from './ledger/streams.ts'
import type { StreamRow } from './ledger/stream-row.ts'
import { takeStream } from './take-stream.ts'

/**
 * Done twice it does no harm.
 * @param source the store that the stream reads
 * @throws SluiceError LEDGER_BUSY where a living program follows, PLAN_CHANGED where the source is another database
 */
export async function endStream(
  { id, birth, sourceIdentity, source: label, wishes }: StreamRow,
  source: CopyStore,
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
  const name = birth?.slot ?? streamName(id)
  const cdc = cdcOf({ id, wishes }, undefined)
  await source.changeSource?.(cdc)?.end(name, run.interrupt.abort)
  await ledger.note(id, 'ended')
  await ledger.release(id)
  const made = cdc === 'slot' ? `slot and publication ${name}` : `triggers and logs ${name}`
  run.emit({ type: 'log', level: 'note', message: `stream ${id} has ended: ${made} are removed` })
}

/** Name of slot and publication. */
export function streamName(stream: string): string {
  return `sluice_${stream}`
}
