/** A partition leaves its parent for the schema of what is archived: one short transaction that waits for locks less than others notice, tried again and again. */
import type { Keeping, PartitionRequest } from '../../archive-port.ts'
import type { CopySession } from '../copy/session.ts'
import { literal, tableSql } from '../copy/sql.ts'
import type { WantedLock } from '../maintenance/patience.ts'
import { referencedLocks } from '../maintenance/surroundings.ts'
import { hasColumns, type FoundTable } from './known.ts'
import type { KnownTable } from './locks.ts'
import { archivedName, moveTable } from './move.ts'
import { readOwn } from './own.ts'

export type Pair = { readonly parent: FoundTable; readonly partition: FoundTable }

/**
 * Locks of a detach, in the order in which they are taken: the server takes those of the default partition and of referenced tables by itself, and would
 * wait for each of them in turn.
 */
export async function leavingLocks(session: CopySession, { parent, partition }: Pair): Promise<readonly WantedLock[]> {
  const rest = await defaultOf(session, parent)
  const around = await referencedLocks(session, [parent, partition], true)
  const alone = [parent, ...(rest === null ? [] : [rest]), partition]
  const [first, ...others] = alone.map((table): WantedLock => ({ table, mode: 'ACCESS EXCLUSIVE' }))
  return first === undefined ? [] : [first, ...around, ...others]
}

/**
 * With all locks held: keeps what the table has of its own, detaches and moves it.
 * @returns `differs` where it has other columns than were archived
 */
export async function takeAway(
  session: CopySession,
  { parent, partition }: Pair,
  { columns, keep }: Pick<PartitionRequest, 'columns'> & Keeping,
): Promise<'done' | 'differs'> {
  if (!(await hasColumns(session, partition, columns))) return 'differs'
  // Once it is detached, the catalogs no longer tell what was its own.
  if (keep !== undefined) {
    const { sql, parameters } = keep(await readOwn(session, partition, parent))
    await session.run(sql, parameters)
  }
  await session.ask(`ALTER TABLE ${tableSql(parent.name)} DETACH PARTITION ${tableSql(partition.name)}`)
  await moveTable(session, partition, archivedName(partition.name, partition.oid))
  return 'done'
}

async function defaultOf(session: CopySession, { oid }: KnownTable): Promise<KnownTable | null> {
  const [row] = await session.ask(
    `SELECT c.oid, n.nspname, c.relname FROM pg_catalog.pg_partitioned_table p JOIN pg_catalog.pg_class c ON c.oid = p.partdefid
     JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE p.partrelid = ${literal(oid)}::oid`,
  )
  return row === undefined ? null : { oid: row[0] ?? '', name: { schema: row[1] ?? '', name: row[2] ?? '' } }
}
