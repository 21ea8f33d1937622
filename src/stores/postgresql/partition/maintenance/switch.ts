/** The transaction in which new partitions and a new default partition replace the old one. */
import type { TableName } from '../../../../model/copy/column-type.ts'
import type { RangedTable } from '../../../../model/partition/maintenance-port.ts'
import { boundsSql } from '../../server/bounds.ts'
import type { KnownTable } from '../../server/locks.ts'
import { noteAttached } from '../../follow/replication/partition-notes.ts'
import { suffixed } from '../../archive/move.ts'
import { quoteName } from '../../server/connect.ts'
import type { CopySession } from '../../server/session.ts'
import { literal, tableSql } from '../../server/sql.ts'
import type { SideTables } from './replacement-tables.ts'
import { attachedAs, setTriggerStates } from './attach-new.ts'
import { definitionFingerprint } from './definition.ts'
import { dropKeyLogSql, hasLogNotes, type KeyLog } from './key-log.ts'
import { sideTableName, attachMark } from './names.ts'
import { Changed, NotNow } from './not-now.ts'
import type { OldViews } from './old-views.ts'
import type { LockRetry } from '../../server/lock-retry.ts'
import { referencedLocks } from './dependencies.ts'
import type { MissingProperty, NewPartitionTable } from './new-table.ts'

export type SwitchPlan = {
  readonly table: RangedTable
  readonly rest: KnownTable
  readonly log: KeyLog
  readonly sideTable: SideTables
  /** Statements for the new tables that run last. */
  readonly late: readonly string[]
  /** Definition of the table and its default partition when the copy began (`definitionFingerprint`). */
  readonly definition: string
  readonly views: OldViews
}

/**
 * One transaction: detaches the old default partition, attaches the new ones, swaps names, removes the log.
 * @returns new name of the old default partition, and trigger states that the server refused
 * @throws NotNow, Changed; errors of the server
 */
export async function switchOver(
  session: CopySession,
  lockRetry: LockRetry,
  { table, rest, log, sideTable, late, definition, views }: SwitchPlan,
): Promise<{ readonly old: TableName; readonly missing: readonly MissingProperty[] }> {
  const parent = { oid: table.identity, name: table.table }
  const mark = quoteName(attachMark(table.identity))
  const old = sideTableName(rest.name.schema ?? '', table.identity, 'old')
  const successor = sideTable.tables.find(({ coming }) => coming === null)?.newTable
  if (successor === undefined) throw new Error('no successor of the default partition')
  const statements = [
    ...late,
    `ALTER TABLE ${tableSql(parent.name)} DETACH PARTITION ${tableSql(rest.name)}`,
    dropKeyLogSql(log, rest.name),
    // The constraint marks the table for the next run, in case this run is killed. It is NOT VALID, so that no row is
    // read.
    `ALTER TABLE ${tableSql(rest.name)} ADD CONSTRAINT ${mark} CHECK (true) NOT VALID`,
    ...(await exchanged(session, rest, successor)),
    ...(await sequencesTo(session, rest, successor)),
    renamed(rest.name, old),
    ...sideTable.tables.map(({ newTable }) => renamed(newTable.options.sideTable, newTable.options.name)),
    ...sideTable.tables.map(({ newTable, coming }) => {
      const bounds = coming === null ? 'DEFAULT' : boundsSql(coming)
      return `ALTER TABLE ${tableSql(parent.name)} ATTACH PARTITION ${tableSql(newTable.options.name)} ${bounds}`
    }),
    ...sideTable.tables.map(({ newTable }) => `ALTER TABLE ${tableSql(newTable.options.name)} DROP CONSTRAINT ${mark}`),
  ].join(';\n')
  // Fail before other sessions have to wait for the locks.
  if (await hasLogNotes(session, log)) throw behind()
  const cloned = sideTable.tables.flatMap(({ newTable }) => newTable.triggerStates())
  const around = await referencedLocks(session, [parent, rest], true)
  const missing = await lockRetry.run(
    [{ table: parent, mode: 'ACCESS EXCLUSIVE' }, ...around, { table: rest, mode: 'ACCESS EXCLUSIVE' }],
    async () => {
      await refuseChanged(session, table, [rest.oid, log.oid], definition)
      await views.refuse()
      if (await hasLogNotes(session, log)) throw behind()
      await session.ask(statements)
      const to = await attachedAs(
        session,
        sideTable.tables.map(({ newTable }) => newTable.options.name),
      )
      await noteAttached(session, { table: table.identity, from: rest.oid, to })
      return setTriggerStates(session, cloned)
    },
  )
  return { old, missing }
}

function behind(): NotNow {
  return new NotNow('other sessions changed it again before it was locked')
}

/**
 * Refuses a table that has changed meanwhile. If a partition was added, ATTACH would scan the whole new default
 * partition.
 * @throws Changed
 */
async function refuseChanged(
  session: CopySession,
  { identity, partitions }: RangedTable,
  [rest, log]: readonly [string, string],
  definition: string,
): Promise<void> {
  const seen = literal(`{${partitions.map((one) => one.identity).join(',')}}`)
  const [row] = await session.ask(
    `SELECT partdefid, (SELECT count(*) FROM pg_catalog.pg_inherits i LEFT JOIN pg_catalog.unnest(${seen}::oid[]) AS seen (oid) ON seen.oid = i.inhrelid
       WHERE i.inhparent = p.partrelid AND seen.oid IS NULL)
     FROM pg_catalog.pg_partitioned_table p WHERE partrelid = ${literal(identity)}::oid`,
  )
  if (row?.[0] !== rest || row[1] !== '0') throw new Changed('the partitions have changed')
  const now = await definitionFingerprint(session, [identity, rest, log])
  if (now !== definition) throw new Changed('another user changed the table while its rows were copied')
}

function renamed(from: TableName, to: TableName): string {
  return `ALTER TABLE ${tableSql(from)} RENAME TO ${quoteName(to.name)}`
}

/** Statements that give the new default partition the names of the old one's indexes, constraints and statistics. */
async function exchanged(
  session: CopySession,
  of: KnownTable,
  { names }: NewPartitionTable,
): Promise<readonly string[]> {
  const rows = await session.ask(
    `SELECT c.oid, n.nspname, c.relname, 'INDEX' FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid
       JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE i.indrelid = ${literal(of.oid)}::oid AND i.indisvalid
     UNION ALL SELECT s.oid, n.nspname, s.stxname, 'STATISTICS' FROM pg_catalog.pg_statistic_ext s JOIN pg_catalog.pg_namespace n ON n.oid = s.stxnamespace
       WHERE s.stxrelid = ${literal(of.oid)}::oid ORDER BY 1`,
  )
  return rows.flatMap(([oid, schema, name, kind]) => {
    const fresh = names.get(oid ?? '')
    const rename = (from: string, to: string): string =>
      `ALTER ${kind} ${tableSql({ schema: schema ?? '', name: from })} RENAME TO ${quoteName(to)}`
    const own = name ?? ''
    // The suffix `_old` differs from the suffix of a truncated new name.
    const away = rename(own, suffixed(own, `${oid}_old`))
    // If there is no new name, the attachment builds the index and names it.
    return fresh === undefined ? [away] : [away, rename(fresh, own)]
  })
}

/** Statements that give the new table the sequences that DROP would remove with the old one. */
async function sequencesTo(
  session: CopySession,
  of: KnownTable,
  { options: request }: NewPartitionTable,
): Promise<readonly string[]> {
  return await session.texts(
    `SELECT pg_catalog.format('ALTER SEQUENCE %I.%I OWNED BY %s.%I', n.nspname, c.relname, ${literal(tableSql(request.sideTable))}, a.attname)
     FROM pg_catalog.pg_depend d JOIN pg_catalog.pg_class c ON c.oid = d.objid AND c.relkind = 'S' JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
       JOIN pg_catalog.pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
     WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass::oid AND d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass::oid
       AND d.refobjid = ${literal(of.oid)}::oid AND d.deptype = 'a'`,
  )
}
