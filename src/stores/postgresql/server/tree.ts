/**
 * Partitions that are partitioned themselves: such a tree of tables is archived and removed as a whole. A detach or a
 * DROP of the root affects the whole tree. A lock, or a change of schema or name, affects one table only.
 */
import { tableText, type TableName } from '../../../model/copy/column-type.ts'
import { SluiceError } from '../../../shared/errors.ts'
import type { CopySession } from './session.ts'
import { literal } from './sql.ts'
import { tableByName, type FoundRelation } from './known.ts'
import type { KnownTable, Locks } from './locks.ts'
import { ARCHIVED_SCHEMA, isTaken, moveAway, moveTable, suffixed } from '../archive/move.ts'
import { missingSchemas } from '../archive/noted-schemas.ts'

/** How a partition is partitioned itself, for the ledger. */
export type Division = {
  /** As the server prints it: `LIST (region)`. */
  readonly by: string
  readonly tables: readonly (TableName & { readonly oid: string })[]
}

/** Tables below a table at any depth, each after its parent. */
export async function tablesBelow(session: CopySession, { oid }: KnownTable): Promise<readonly KnownTable[]> {
  const rows = await session.ask(
    `WITH RECURSIVE below AS (
       SELECT i.inhrelid AS oid, 1 AS depth FROM pg_catalog.pg_inherits i WHERE i.inhparent = ${literal(oid)}::oid
       UNION ALL SELECT i.inhrelid, b.depth + 1 FROM below b JOIN pg_catalog.pg_inherits i ON i.inhparent = b.oid)
     SELECT c.oid, n.nspname, c.relname FROM below b JOIN pg_catalog.pg_class c ON c.oid = b.oid
       JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE c.relispartition ORDER BY b.depth, c.oid`,
  )
  return rows.map(([number, schema, name]) => ({
    oid: number ?? '',
    name: { schema: schema ?? '', name: name ?? '' },
  }))
}

/** The names of a table and of all tables below it. */
export async function withTablesBelow(session: CopySession, table: TableName): Promise<readonly TableName[]> {
  const found = await tableByName(session, table)
  return found === null ? [table] : [table, ...(await tablesBelow(session, found)).map(({ name }) => name)]
}

/** How a table is partitioned itself; null if it is not. */
export async function divisionOf(session: CopySession, table: KnownTable): Promise<Division | null> {
  const [row] = await session.ask(
    `SELECT pg_catalog.pg_get_partkeydef(partrelid) FROM pg_catalog.pg_partitioned_table WHERE partrelid = ${literal(table.oid)}::oid`,
  )
  if (row === undefined) return null
  const below = await tablesBelow(session, table)
  return { by: row[0] ?? '', tables: below.map(({ oid, name }) => ({ oid, ...name })) }
}

/** Locks the tables below an exclusively locked table in the same mode: its lock does not include them. */
export async function lockBelow(session: CopySession, locks: Locks, table: FoundRelation): Promise<void> {
  if (table.kind !== 'p') return
  const held = new Set<string>()
  for (;;) {
    // Another session may add a table below one that is not locked yet.
    const more = (await tablesBelow(session, table)).filter(({ oid }) => !held.has(oid))
    if (more.length === 0) return
    for (const below of more) {
      await locks.take(below, 'ACCESS EXCLUSIVE')
      held.add(below.oid)
    }
  }
}

/** Moves tables into the schema of archived tables, after their parent, so that no writer finds one by its old name. */
export async function moveBelow(session: CopySession, below: readonly KnownTable[]): Promise<void> {
  for (const table of below) await moveAway(session, table)
}

/**
 * Moves the tables below a partition back to the names that they had when it was detached. Tables added later are not
 * moved.
 * @param root the partition, which has its own name again
 * @param division null if unknown: the tables are moved into the schema of `root`, and their names may be truncated.
 * Tables whose schema no longer exists are moved there too.
 * @throws SluiceError TABLE_REFUSED if another table has the name of one of them in its former schema
 */
export async function moveBelowBack(session: CopySession, root: KnownTable, division: Division | null): Promise<void> {
  const names = new Map((division?.tables ?? []).map(({ oid, schema = 'public', name }) => [oid, { schema, name }]))
  const missing = await missingSchemas(session, new Set([...names.values()].map(({ schema }) => schema)))
  for (const table of await tablesBelow(session, root)) {
    const known = names.get(table.oid)
    if (known === undefined && table.name.schema !== ARCHIVED_SCHEMA) continue
    const { name } = table.name
    const own = name.endsWith(`_${table.oid}`) ? name.slice(0, -table.oid.length - 1) : name
    const isKept = known !== undefined && !missing.has(known.schema)
    const to = isKept ? known : { ...root.name, name: known?.name ?? own }
    const isTwice = !isKept && (await isTaken(session, to, table.oid))
    await moveTable(session, table, isTwice ? { ...to, name: suffixed(to.name, table.oid) } : to)
  }
}

/** @throws SluiceError TARGET_BUSY if another session changed the tables below after they were found and locked */
export async function refuseOtherBelow(
  session: CopySession,
  partition: KnownTable,
  locked: readonly KnownTable[],
): Promise<void> {
  const now = await tablesBelow(session, partition)
  if (JSON.stringify(now) === JSON.stringify(locked)) return
  const what = `another user changed the partitioning of ${tableText(partition.name)}`
  throw new SluiceError('TARGET_BUSY', what, { retryable: true, hint: 'run the same command again' })
}
