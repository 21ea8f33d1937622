/** Compares a default partition with its replacement tables, in one snapshot: number of rows and checksum. */
import { tableText, type TableSpec } from '../../../../model/copy/column-type.ts'
import { equalDigests, type Digest } from '../../../../model/copy/rows.ts'
import { sumText } from '../../../../model/copy/row-hash.ts'
import { SluiceError } from '../../../../shared/errors.ts'
import type { ReadColumn } from '../../../../model/copy/read-column.ts'
import type { KnownTable } from '../../server/locks.ts'
import { digestPostgresRows } from '../../copy/row-digest.ts'
import type { CopySession } from '../../server/session.ts'
import { tableSql } from '../../server/sql.ts'
import type { SideTables } from './aside.ts'
import { keysSql, lockedSql, noted, sameKey, type KeyLog } from './key-log.ts'
import { NotNow } from './not-now.ts'
import { unmovable } from './refusals.ts'
import { staleGenerated } from './row-refusals.ts'

/**
 * Rows with changes that are noted but not applied are left out on both sides.
 * @returns number of compared rows
 * @throws SluiceError PROOF_FAILED; NotNow if all rows were truncated meanwhile, so nothing can be compared
 */
export async function proveQuarantined(
  session: CopySession,
  spec: TableSpec,
  log: KeyLog,
  sideTable: SideTables,
): Promise<bigint> {
  try {
    // Lock before the first read: a later TRUNCATE would empty the table for an older snapshot, too.
    await session.begin('ISOLATION LEVEL REPEATABLE READ READ ONLY', lockedSql(log))
    const { ids, emptied } = await noted(session, log)
    if (emptied) throw new NotNow('all rows of the default partition were removed at the same time')
    const columns = spec.columns.map(read)
    const settled =
      ids.length === 0 ? 'true' : `NOT EXISTS (SELECT FROM (${keysSql(log, ids)}) k WHERE ${sameKey(log, 'd', 'k')})`
    const digestOf = ({ name }: KnownTable): Promise<Digest> =>
      digestPostgresRows(session, {
        columns,
        from: `ONLY ${tableSql(name)} AS d`,
        condition: settled,
        table: tableText(name),
      })
    const before = await digestOf(log.of)
    let [rows, sum] = [0n, 0n]
    for (const { newTable } of sideTable.tables) {
      const part = await digestOf(newTable.table)
      rows += part.rows
      sum += BigInt(`0x${part.sum}`)
    }
    if (equalDigests(before, { rows, sum: sumText(sum) })) return rows
    const stale = await staleGenerated(session, log.of)
    if (stale !== null) throw unmovable(log.of, stale)
    throw new SluiceError('PROOF_FAILED', `the copied rows of ${tableText(log.of.name)} differ from its rows`, {
      where: tableText(log.of.name),
      reason: `it has ${before.rows} rows with the checksum ${before.sum}, and its copies have ${rows} rows with ${sumText(sum)}`,
      hint: 'nothing was changed; this is a fault of sluice or of the server: please report it',
    })
  } finally {
    await session.rollBack()
  }
}

/** Both sides are on one server: types that would need conversion for another system are compared as printed. */
function read(column: TableSpec['columns'][number]): ReadColumn {
  const { kind } = column.type
  const printed = kind === 'json' || kind === 'list'
  return { name: column.name, as: printed ? { kind: 'native', name: column.native } : column.type, column }
}
