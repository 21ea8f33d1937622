/** Empties target tables with triggers and foreign key actions disabled, so that rows of referring tables stay. */
import { SluiceError } from '../../../shared/errors.ts'
import type { Statement } from '../../../model/run/ledger-port.ts'
import type { ChangeTarget } from '../../../model/follow/port.ts'
import type { CopyRun } from '../../copy/copy-run.ts'
import { refuse } from '../stream/preflight.ts'
import type { FollowTable } from '../stream/followed-table.ts'

/**
 * @param tables existing tables only
 * @param also statements of the same transaction; the first one changes a row only if this program owns the stream
 * @param landed query that returns a row once the transaction is committed
 * @throws SluiceError NOT_FOLLOWABLE if the login cannot disable triggers and foreign keys, LEASE_LOST; errors of the
 * target
 */
export async function emptyTables(
  tables: readonly FollowTable[],
  changeTarget: ChangeTarget,
  also: readonly Statement[],
  landed: Statement,
  run: CopyRun,
): Promise<void> {
  const request = { tables: tables.map((one) => one.target), fireTriggers: false, signal: run.interrupt.abort }
  const { refusals } = await changeTarget.inspect(request)
  refuse(refusals, run)
  await using writer = await changeTarget.open(request)
  await writer.truncate([...tables.keys()])
  if ((await writer.commit({ statements: also, guard: landed, landed })) === 'committed') return
  throw new SluiceError('LEASE_LOST', 'another program runs this stream now', {
    hint: 'no table was emptied; end one of the two programs',
  })
}
