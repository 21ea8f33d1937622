/** Deletes rows of a plain table; the proof compares exactly the deleted rows. */
import { tableText } from '../../../model/copy/column-type.ts'
import { equalDigests, type Digest } from '../../../model/copy/rows.ts'
import { checksumText } from '../../../model/copy/row-hash.ts'
import type { RemoveRequest, StepEnd } from '../../../model/archive/port.ts'
import { postgresSelection } from '../server/cells.ts'
import { AS_REPLICA } from '../copy/replica-role.ts'
import { findRelation, refuseCascades, type PostgresRelation } from '../server/relation.ts'
import { canonicalTexts, digestOfQuery, hashSql } from '../copy/row-digest.ts'
import type { CopySession } from '../server/session.ts'
import { CONSTRAINTS_NOW, tableFromSql, rangeSql } from '../server/sql.ts'
import { hasColumns, isOf } from '../server/known.ts'
import { postgresRowTriggers } from './row-triggers.ts'
import type { StepBodyEnd, Steps, WithinStep } from './steps.ts'

/**
 * @param database identity of this database
 * @throws SluiceError TABLE_REFUSED if the DELETE would change rows of other tables, or if rows of other tables prevent
 * it
 */
export function removePostgresRows(steps: Steps, request: RemoveRequest, database: string): Promise<StepEnd> {
  return steps.run({ ...request, table: request.table.table }, (within) => remove(within, request, database))
}

async function remove({ session, locks }: WithinStep, request: RemoveRequest, database: string): Promise<StepBodyEnd> {
  const { table, range, where, columns } = request
  // Block numbers belong to one snapshot of the table.
  if (range.by === 'block') throw new Error('rows are removed by their keys')
  const relation = await relationOf(session, request)
  if (relation === null) return 'gone'
  const name = relation.name
  await locks.take({ oid: relation.oid, name }, 'ROW EXCLUSIVE')
  const again = await relationOf(session, request)
  if (again === null || again.oid !== relation.oid || !isOf(table.identity, database, again.oid)) return 'gone'
  await refuseCascades(session, again, 'archive and remove those rows first, and drop these foreign keys')
  if (!(await hasColumns(session, { oid: again.oid, name }, columns))) return 'differs'
  if ((await postgresRowTriggers(session, name)).quiet) await session.ask(AS_REPLICA)
  // Deferred constraints would fail only at COMMIT.
  await session.ask(CONSTRAINTS_NOW)
  const statement = `DELETE FROM ${tableFromSql(again)} WHERE ${rangeSql(table, again, range, where)}`
  const removed = await digestOfRemoved(session, statement, request)
  return equalDigests(removed, request.expect) ? 'done' : 'differs'
}

async function digestOfRemoved(
  session: CopySession,
  statement: string,
  { columns, table }: RemoveRequest,
): Promise<Digest> {
  const texts = canonicalTexts(columns)
  if (texts === null) {
    const list = columns.map(postgresSelection).join(', ')
    return digestOfQuery(session, `${statement} RETURNING ${list}`, { columns, table: tableText(table.table) })
  }
  // RETURNING computes the hash, so that the server stores numbers, not texts.
  const hash = `(SELECT ${hashSql(columns)} FROM (SELECT ${texts.join(', ')} OFFSET 0) AS texts)`
  const [row] = await session.askOne(
    `WITH gone AS (${statement} RETURNING ${hash} AS hash) SELECT count(*), coalesce(pg_catalog.sum(hash), 0) FROM gone`,
  )
  return { rows: BigInt(row?.[0] ?? 0), sum: checksumText(BigInt(row?.[1] ?? 0)) }
}

function relationOf(session: CopySession, { table }: RemoveRequest): Promise<PostgresRelation | null> {
  return findRelation(table.table, (sql) => session.ask(sql))
}
