/** Inspects a table partitioned by ranges: a few statements, for any number of partitions. */
import { tableText, type Column, type TableName } from '../../../../model/copy/column-type.ts'
import { SluiceError } from '../../../../shared/errors.ts'
import { shellQuote } from '../../../../shared/shell.ts'
import type { RangedTable, RangePartition } from '../../../../model/partition/maintenance-port.ts'
import { boundsOf, orderedBounds, type PartitionBounds } from '../../server/bounds.ts'
import {
  partitionKey,
  tableByIdentity,
  tableByName,
  type FoundRelation,
  type PartitionKey,
} from '../../server/known.ts'
import { quoteName } from '../../server/connect.ts'
import { missingTable } from '../../server/relation.ts'
import type { CopySession, TextRow } from '../../server/session.ts'
import { literal, tableSql } from '../../server/sql.ts'
import { postgresColumnType, loadTypes } from '../../server/types.ts'
import { leftOverOf } from './left-over.ts'

/**
 * @param sizes true: also reads sizes in bytes
 * @returns null if the table is not partitioned
 * @throws SluiceError NO_SUCH_TABLE; UNSUPPORTED_TYPE if it is not partitioned by ranges of one column
 */
export async function inspectPostgresPartitions(
  session: CopySession,
  table: TableName,
  sizes: boolean,
): Promise<RangedTable | null> {
  const parent = await tableByName(session, table)
  if (parent === null) {
    throw new SluiceError('NO_SUCH_TABLE', missingTable(table), { hint: 'name it as schema.table' })
  }
  const key = await partitionKey(session, parent, 'maintain the partitions of this table by hand')
  if (key === null && parent.parent !== null) throw await isPartition(session, parent, parent.parent)
  if (key === null) return null
  const column = await columnOf(session, parent, key)
  const rows = await session.ask(partitionsSql(parent.oid, sizes))
  const partitions = await ordered(session, rows.map(partition), key)
  const keptBy = await partmanSettings(session, parent)
  const leftOver = await leftOverOf(session, parent.oid)
  return {
    table: parent.name,
    identity: parent.oid,
    column,
    partitions,
    ...(keptBy === null ? {} : { keptBy }),
    ...(leftOver === null ? {} : { leftOver }),
  }
}

/**
 * Error if the user named a partition instead of its table. Only an exact name can find a partition, because patterns
 * skip partitions.
 */
async function isPartition(session: CopySession, { name }: FoundRelation, of: string): Promise<SluiceError> {
  const parent = await tableByIdentity(session, of)
  const whole = parent === null ? 'another table' : tableText(parent.name)
  const named = parent === null ? '' : `: --table ${shellQuote(whole)}`
  return new SluiceError('UNSUPPORTED_TYPE', `${tableText(name)} is a partition of ${whole}`, {
    where: tableText(name),
    hint: `name its parent table${named}`,
    kind: 'unsupported',
  })
}

async function columnOf(session: CopySession, { oid, name }: FoundRelation, key: PartitionKey): Promise<Column> {
  const [row] = await session.ask(
    `SELECT atttypid, atttypmod, attnotnull FROM pg_catalog.pg_attribute
     WHERE attrelid = ${literal(oid)}::oid AND attname = ${literal(key.column)} AND NOT attisdropped`,
  )
  if (row === undefined)
    throw new SluiceError('NO_SUCH_TABLE', missingTable(name), {
      reason: 'the table, or its partition column, was dropped or renamed during this command',
      hint: 'check that the table exists, then run the same command again',
    })
  const [type, modifier, notNull] = row
  const types = await loadTypes([type ?? ''], (sql) => session.ask(sql))
  return {
    name: key.column,
    type: postgresColumnType(type ?? '', Number(modifier), types),
    native: key.type,
    nullable: notNull !== 't',
  }
}

function partitionsSql(parent: string, sizes: boolean): string {
  // The size of a partition that is partitioned itself is the size of all its partitions.
  const bytes = `CASE c.relkind WHEN 'p' THEN (SELECT pg_catalog.sum(pg_catalog.pg_total_relation_size(s.relid)) FROM pg_catalog.pg_partition_tree(c.oid) s)
    WHEN 'f' THEN NULL ELSE pg_catalog.pg_total_relation_size(c.oid) END`
  // A pending detach is marked since version 14.
  return `SELECT c.oid, n.nspname, c.relname, c.relkind, pg_catalog.pg_get_expr(c.relpartbound, c.oid), c.reltuples::numeric,
      coalesce((pg_catalog.to_jsonb(i) ->> 'inhdetachpending'::text)::boolean, false), ${sizes ? bytes : 'NULL'}
    FROM pg_catalog.pg_inherits i JOIN pg_catalog.pg_class c ON c.oid = i.inhrelid JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    WHERE i.inhparent = ${literal(parent)}::oid AND c.relispartition ORDER BY c.relname`
}

function partition(row: TextRow): RangePartition {
  const [oid, schema, name, kind, text, rows, leaving, bytes = null] = row
  const bounds = boundsOf(text ?? '')
  const note = noteOf(kind, leaving === 't')
  return {
    name: { schema: schema ?? '', name: name ?? '' },
    identity: oid ?? '',
    from: bounds?.from ?? null,
    to: bounds?.to ?? null,
    isDefault: bounds === null,
    rows: rows == null || rows.startsWith('-') ? null : BigInt(rows),
    bytes: bytes === null ? null : BigInt(bytes),
    ...(note === null ? {} : { note }),
  }
}

/** Note of a partition that has partitions itself. */
export const PARTITIONED_ITSELF = 'it is partitioned itself'

function noteOf(kind: string | null | undefined, leaving: boolean): string | null {
  if (leaving) return 'another user began to detach it and did not finish'
  if (kind === 'p') return PARTITIONED_ITSELF
  return kind === 'f' ? 'it is a foreign table' : null
}

async function ordered(
  session: CopySession,
  all: readonly RangePartition[],
  key: PartitionKey,
): Promise<readonly RangePartition[]> {
  const bounded = all.flatMap((one): (RangePartition & { bounds: PartitionBounds })[] =>
    one.isDefault ? [] : [{ ...one, bounds: one }],
  )
  const sorted = await orderedBounds(session, bounded, key)
  return [...sorted.map(({ bounds: _, ...one }) => one), ...all.filter(({ isDefault }) => isDefault)]
}

/** Settings of pg_partman for the table, as text; null if it has none. Searches all schemas for its configuration. */
async function partmanSettings(session: CopySession, { name }: FoundRelation): Promise<string | null> {
  const notes = await session.ask(
    `SELECT n.nspname, pg_catalog.has_table_privilege(c.oid, 'SELECT') AND pg_catalog.has_schema_privilege(n.oid, 'USAGE')
     FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
     WHERE c.relname = 'part_config' AND c.relkind = 'r' AND (
       SELECT count(*) FROM pg_catalog.pg_attribute a WHERE a.attrelid = c.oid AND a.attname IN ('parent_table', 'partition_interval', 'premake')) = 3`,
  )
  for (const [schema, readable] of notes) {
    const config = tableSql({ schema: schema ?? '', name: 'part_config' })
    if (readable !== 't') return `pg_partman (not certain: this role may not read ${config})`
    // pg_partman stores names as they were entered, with or without quotes.
    const [row] = await session.ask(
      `SELECT partition_interval, premake FROM ${config} WHERE parent_table IN (${literal(tableText(name))}, ${literal(tableSql(name))},
         ${literal(`${name.schema ?? ''}.${quoteName(name.name)}`)})`,
    )
    if (row !== undefined) return `pg_partman (${config}: every ${row[0]}, ${row[1]} ahead)`
  }
  return null
}
