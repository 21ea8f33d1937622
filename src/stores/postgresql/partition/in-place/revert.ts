/**
 * Reverts the partitioning: the first partition becomes the table again. The new table, whose other partitions are
 * empty, is dropped.
 */
import { tableText, type TableName } from '../../../../model/copy/column-type.ts'
import { SluiceError } from '../../../../shared/errors.ts'
import type { InPlaceFacts } from '../../../../model/partition/in-place-port.ts'
import type { PlanFinding } from '../../../../model/partition/plan-port.ts'
import { boundsOf } from '../../server/bounds.ts'
import { suffixed } from '../../archive/move.ts'
import { quoteName } from '../../server/connect.ts'
import type { CopySession } from '../../server/session.ts'
import { literal, tableSql } from '../../server/sql.ts'
import type { LockLimit } from '../../follow/switch/lock-limit.ts'
import { cutoverReferenceFindings } from '../../follow/switch/references.ts'
import { cutoverTable, cutoverTables, type CutoverTable } from '../../follow/switch/sides.ts'
import { dependentsWithRules, lockAll, lockDependent } from '../../follow/switch/take.ts'
import { inPlaceRefusal } from './attempt.ts'
import { commentSql, deferralSql } from './indexes.ts'
import { dropSliceSql } from './bounds.ts'
import { planFinding, takeoverSteps } from './inspections.ts'
import { INDEX_NOTES } from '../../server/marks.ts'

/** The first partition, which has no lower bound. */
export type Leaf = InPlaceFacts & { readonly oid: string }

/** The partition without a lower bound. @returns null if the table is not partitioned, or has no such partition */
export async function pastOf(session: CopySession, name: TableName): Promise<Leaf | null> {
  const side = await cutoverTable(session, name)
  if (side === null || !side.isPartitioned) return null
  const rows = await session.ask(
    `SELECT n.nspname, c.relname, pg_catalog.pg_get_expr(c.relpartbound, c.oid), c.oid FROM pg_catalog.pg_inherits i JOIN pg_catalog.pg_class c ON c.oid = i.inhrelid
       JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
     WHERE i.inhparent = ${side.oid}::oid AND c.relkind = 'r' AND pg_catalog.pg_get_expr(c.relpartbound, c.oid) LIKE 'FOR VALUES FROM (MINVALUE) TO (%'`,
  )
  const [schema, past, text, oid] = rows[0] ?? []
  const to = text == null ? null : (boundsOf(text)?.to ?? null)
  if (to === null) return null
  return { past: { schema: schema ?? '', name: past ?? '' }, bound: to, oid: oid ?? '' }
}

/** Locks the table and its partitions against all other sessions. */
export async function lockPartitions(
  session: CopySession,
  table: CutoverTable,
  held: LockLimit,
  lockTimeoutMs: number,
): Promise<void> {
  const dependents = await dependentsWithRules(session, table)
  held.begin()
  const left = (): number => lockTimeoutMs - held.waitedMs()
  for (const one of dependents) await lockDependent(session, one, left())
  await lockAll(session, table, left())
}

/** @throws SluiceError PARTITION_REFUSED if other partitions hold rows; PLAN_CHANGED */
export async function detachPast(session: CopySession, table: TableName): Promise<readonly PlanFinding[]> {
  const { schema = 'public', name } = table
  const leaf = await pastOf(session, table)
  if (leaf === null) {
    throw new SluiceError(
      'PLAN_CHANGED',
      `the partitioning of ${tableText(table)} cannot be reverted: it has no first partition without a lower bound`,
      {
        hint: 'inspect its partitions with sluice partition list',
      },
    )
  }
  const past = tableSql(leaf.past)
  await refuseFilled(session, table, leaf)
  const oldTable = suffixed(name, `sluice_${leaf.oid}`)
  const names = { from: { schema, name }, to: leaf.past, oldTable }
  const before = await cutoverTables(session, names)
  // The server checks for rows that refer to a partition before it detaches it.
  const references = (await cutoverReferenceFindings(before)).filter(({ about }) => about === 'foreign key to it')
  refuse(table, references.map(planFinding))
  const notNull = await notNullFindings(session, before.from, leaf, tableSql({ schema, name }))
  await session.askAll([
    ...references.flatMap(({ before: sql = [] }) => sql),
    `ALTER TABLE ${before.from.sql} DETACH PARTITION ${past}`,
    ...(await dropSliceSql({ session, oid: leaf.oid, sql: past, schema })),
    ...(await narrowed(session, leaf)),
    ...(await numbered(session, before.from, past)),
  ])
  const sides = await cutoverTables(session, names)
  const steps = await takeoverSteps(sides, false)
  refuse(table, steps.map(planFinding))
  await session.askAll([
    ...steps.flatMap(({ before: sql = [] }) => sql),
    `ALTER TABLE ${sides.from.sql} RENAME TO ${quoteName(oldTable)}`,
    `ALTER TABLE ${past} RENAME TO ${quoteName(name)}`,
    ...steps.flatMap(({ after = [] }) => after),
    ...references.flatMap(({ after = [] }) => after),
    `DROP TABLE ${tableSql({ schema, name: oldTable })}`,
  ])
  return [...notNull, ...[...references, ...steps].filter(({ verdict }) => verdict === 'made').map(planFinding)]
}

/** Finding if the time column became NOT NULL with the widened primary key, or was before: that is not recorded. */
async function notNullFindings(
  session: CopySession,
  parent: CutoverTable,
  leaf: Leaf,
  sql: string,
): Promise<readonly PlanFinding[]> {
  const [column] = await session.texts(
    `SELECT a.attname FROM pg_catalog.pg_partitioned_table p JOIN pg_catalog.pg_attribute a ON a.attrelid = p.partrelid AND a.attnum = p.partattrs[0] AND a.attnotnull
     WHERE p.partrelid = ${parent.oid}::oid AND EXISTS (SELECT FROM pg_catalog.pg_index i WHERE i.indrelid = ${leaf.oid}::oid
       AND pg_catalog.obj_description(i.indexrelid, 'pg_class') = ${literal(INDEX_NOTES.key)})`,
  )
  if (column === undefined) return []
  return [
    {
      verdict: 'changes',
      about: 'column',
      object: column,
      detail: 'it stays NOT NULL, which the primary key needed; whether it was NOT NULL before is not recorded',
      hint: `if it was not: ALTER TABLE ${sql} ALTER COLUMN ${quoteName(column)} DROP NOT NULL`,
    },
  ]
}

function refuse({ schema = 'public', name }: TableName, findings: readonly PlanFinding[]): void {
  const refused = findings.filter(({ verdict }) => verdict === 'refused')
  if (refused.length > 0) throw inPlaceRefusal({ schema, name }, refused)
}

async function refuseFilled(session: CopySession, table: TableName, leaf: Leaf): Promise<void> {
  const rows = await session.ask(
    `SELECT n.nspname, c.relname FROM pg_catalog.pg_inherits i JOIN pg_catalog.pg_class c ON c.oid = i.inhrelid JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
     WHERE i.inhparent = ${literal(tableSql(table))}::pg_catalog.regclass::oid AND c.oid <> ${leaf.oid}::oid ORDER BY 2`,
  )
  const filled: string[] = []
  for (const [schema, name] of rows) {
    const other = { schema: schema ?? '', name: name ?? '' }
    const [first] = await session.ask(`SELECT FROM ${tableSql(other)} LIMIT 1`)
    if (first !== undefined) filled.push(tableText(other))
  }
  if (filled.length === 0) return
  throw new SluiceError(
    'PARTITION_REFUSED',
    `the partitioning of ${tableText(table)} cannot be reverted: ${filled.join(', ')} ${filled.length === 1 ? 'has' : 'have'} rows that ${tableText(leaf.past)} cannot store`,
    {
      where: tableText(table),
      reason: `${tableText(leaf.past)} ends at ${leaf.bound}, and a revert drops the other partitions with their rows`,
      hint: `save these rows with CREATE TABLE kept AS SELECT * FROM ${tableSql(table)} WHERE … ; delete them from the table; run the same command again; insert the saved rows again; or, instead of the revert, copy the whole table into another one with sluice partition run`,
    },
  )
}

/** Statements that restore the old primary key and unique constraints; none if these already had the time column. */
async function narrowed(session: CopySession, { past, oid }: Leaf): Promise<readonly string[]> {
  const rows = await session.ask(
    `SELECT x.relname, k.conname, pg_catalog.obj_description(x.oid, 'pg_class'), ${deferralSql}, pg_catalog.obj_description(k.oid, 'pg_constraint') FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class x ON x.oid = i.indexrelid
       LEFT JOIN pg_catalog.pg_constraint k ON k.conindid = x.oid AND k.conrelid = i.indrelid AND k.contype IN ('p', 'u')
     WHERE i.indrelid = ${oid}::oid AND pg_catalog.obj_description(x.oid, 'pg_class') IN (${Object.values(INDEX_NOTES).map(literal).join(', ')}) ORDER BY 1`,
  )
  const table = tableSql(past)
  const of = (note: string) => rows.filter(([, , text]) => text === note)
  const [key, own] = [of(INDEX_NOTES.key)[0], of(INDEX_NOTES.own)[0]]
  const [, constraint, , deferral, comment] = key ?? []
  return [
    ...of(INDEX_NOTES.wide).map(([index, name]) =>
      name == null
        ? `DROP INDEX ${tableSql({ ...past, name: index ?? '' })}`
        : `ALTER TABLE ${table} DROP CONSTRAINT ${quoteName(name)}`,
    ),
    ...(constraint == null || own === undefined
      ? []
      : [
          `ALTER TABLE ${table} DROP CONSTRAINT ${quoteName(constraint)}, ADD CONSTRAINT ${quoteName(constraint)} PRIMARY KEY USING INDEX ${quoteName(own[0] ?? '')}${deferral ?? ''}`,
          ...commentSql(table, constraint, comment ?? null),
          `COMMENT ON INDEX ${tableSql({ ...past, name: constraint })} IS NULL`,
        ]),
  ]
}

/** Statements that restore identity columns, which a detached table loses. */
async function numbered(session: CopySession, { oid }: CutoverTable, past: string): Promise<readonly string[]> {
  const rows = await session.ask(
    `SELECT a.attname, a.attidentity, pg_catalog.format('START WITH %s', q.seqstart) FROM pg_catalog.pg_attribute a
       JOIN pg_catalog.pg_sequence q ON q.seqrelid = pg_catalog.pg_get_serial_sequence(a.attrelid::pg_catalog.regclass::text, a.attname)::pg_catalog.regclass
     WHERE a.attrelid = ${oid}::oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attidentity <> '' ORDER BY a.attnum`,
  )
  return rows.map(
    ([name, kind, options]) =>
      `ALTER TABLE ${past} ALTER COLUMN ${quoteName(name ?? '')} ADD GENERATED ${kind === 'a' ? 'ALWAYS' : 'BY DEFAULT'} AS IDENTITY (${options})`,
  )
}
