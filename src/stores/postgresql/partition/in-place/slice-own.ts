/** Properties that a new partition copies from the first partition, because partitions do not inherit them. */
import type { TableName } from '../../../../model/copy/column-type.ts'
import { ownStatementsSql } from '../../archive/own-sql.ts'
import type { KnownTable } from '../../server/locks.ts'
import type { CopySession } from '../../server/session.ts'
import { literal } from '../../server/sql.ts'

/** Places of `ownStatementsSql`: owner, triggers, rules, row security, replica identity, grants. */
const ATTACHED: ReadonlySet<number> = new Set([30, 35, 36, 37, 38, 40, 41, 42, 44, 50, 51, 64, 65, 66])
const REPLICA_IDENTITY = 44

/** Statements for the new table: storage while it has no rows, rights and replica identity when it is attached. */
export async function ownOfPast(
  session: CopySession,
  past: KnownTable,
  parent: KnownTable,
  stage: 'empty' | 'attached',
  made: KnownTable,
): Promise<readonly string[]> {
  const names = stage === 'empty' ? new Map<string, string>() : await indexesOf(session, past, made)
  const rows = await session.ask(ownStatementsSql(past.oid, parent.oid, { name: made.name, names }))
  const [identity] = await session.ask(
    `SELECT indexrelid FROM pg_catalog.pg_index WHERE indrelid = ${literal(past.oid)}::oid AND indisreplident`,
  )
  // An index of the first partition alone: new partitions do not have it.
  const isUnknown = identity !== undefined && !names.has(identity[0] ?? '')
  return rows.flatMap(([of, , sql, place]) => {
    const number = Number(place)
    if (stage === 'empty') return of === 'empty' ? [sql ?? ''] : []
    return !ATTACHED.has(number) || (number === REPLICA_IDENTITY && isUnknown) ? [] : [sql ?? '']
  })
}

/**
 * Statements that set the states of triggers from the parent, which an attachment creates enabled.
 * @param past the first partition, still attached
 * @param tables new partitions, to be attached
 */
export async function statesOfPast(
  session: CopySession,
  past: KnownTable,
  parent: KnownTable,
  tables: readonly TableName[],
): Promise<readonly string[]> {
  const statements: string[] = []
  for (const name of tables) {
    const rows = await session.ask(ownStatementsSql(past.oid, parent.oid, { name, names: new Map() }))
    statements.push(...rows.flatMap(([stage, , sql]) => (stage === 'cloned' ? [sql ?? ''] : [])))
  }
  return statements
}

/** Names of a partition's indexes, by the OIDs of the indexes of `from` that belong to the same index of the parent. */
async function indexesOf(
  session: CopySession,
  from: KnownTable,
  { oid }: KnownTable,
): Promise<ReadonlyMap<string, string>> {
  const rows = await session.ask(
    `SELECT f.indexrelid, c.relname FROM pg_catalog.pg_index f JOIN pg_catalog.pg_inherits h ON h.inhrelid = f.indexrelid
       JOIN pg_catalog.pg_inherits o ON o.inhparent = h.inhparent JOIN pg_catalog.pg_index i ON i.indexrelid = o.inhrelid
       JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid
     WHERE f.indrelid = ${literal(from.oid)}::oid AND i.indrelid = ${literal(oid)}::oid`,
  )
  return new Map(rows.map(([number, name]) => [number ?? '', name ?? '']))
}
