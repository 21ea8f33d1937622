/** The error for a stream that has ended, which another one may continue. */
import type { LedgerDatabase } from '../../../model/run/ledger-port.ts'
import { isoTime } from '../../../shared/clock.ts'
import { SluiceError } from '../../../shared/errors.ts'
import { familyOf } from './family.ts'
import { readCutovers } from './cutover-row.ts'

/**
 * @param goOn returns the command that continues with a stream, given its id
 * @param otherwise hint if no cutover ended the stream
 */
export async function streamEnded(
  database: LedgerDatabase,
  id: string,
  goOn: (stream: string) => string,
  otherwise: string,
): Promise<SluiceError> {
  const { turns, newest } = familyOf(await readCutovers(database), id)
  const turn = turns.find(({ stream }) => stream === id)
  if (turn === undefined) return new SluiceError('STREAM_HALTED', `stream ${id} has ended`, { hint: otherwise })
  const when = turn.switchedMs === null ? '' : ` on ${isoTime(turn.switchedMs)}`
  // After a cutover between two databases, the next streams are in the ledger of the other database.
  const hint = turn.isBetween
    ? `stream ${turn.reverse} continued in the other direction: sluice cutover ${turn.reverse} --dry-run shows the state`
    : `another stream continues with the tables: ${goOn(newest)}`
  return new SluiceError('STREAM_HALTED', `stream ${id} has ended: its tables were exchanged${when}`, { hint })
}
