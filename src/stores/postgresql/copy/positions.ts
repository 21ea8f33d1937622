/** Sequences of the columns of a PostgreSQL table: reads their positions, and moves the sequences of a target. */
import type { TableName } from '../../../model/copy/column-type.ts'
import { furtherPosition, type ColumnSequence, type SequenceOptions } from '../../../model/copy/sequence.ts'
import type { CopySession } from '../server/session.ts'
import { literal, tableSql } from '../server/sql.ts'

type Found = {
  readonly oid: string
  readonly sequence: TableName
  readonly entry: ColumnSequence
}

/** Sequences of identity columns, and of columns whose default is just `nextval` of a sequence. */
export async function postgresSequences(session: CopySession, table: TableName): Promise<readonly ColumnSequence[]> {
  return (await found(session, table)).map(({ entry }) => entry)
}

async function found(session: CopySession, table: TableName): Promise<readonly Found[]> {
  const rows = await session.ask(
    `SELECT a.attname, a.attidentity, s.oid, n.nspname, s.relname, q.seqstart, q.seqincrement, q.seqmin, q.seqmax, q.seqcycle, q.seqcache,
       pg_catalog.has_sequence_privilege(s.oid, 'SELECT'), EXISTS (
         SELECT FROM pg_catalog.pg_depend o WHERE o.classid = 'pg_catalog.pg_class'::regclass::oid AND o.objid = s.oid
           AND o.refclassid = 'pg_catalog.pg_class'::regclass::oid AND o.refobjid = a.attrelid AND o.refobjsubid = a.attnum AND o.deptype IN ('a', 'i'))
     FROM pg_catalog.pg_attribute a
       LEFT JOIN pg_catalog.pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum AND a.attgenerated = ''
       JOIN pg_catalog.pg_depend u ON
         a.attidentity <> '' AND u.classid = 'pg_catalog.pg_class'::regclass::oid AND u.refclassid = 'pg_catalog.pg_class'::regclass::oid
           AND u.refobjid = a.attrelid AND u.refobjsubid = a.attnum AND u.deptype = 'i'
         OR a.attidentity = '' AND u.classid = 'pg_catalog.pg_attrdef'::regclass::oid AND u.objid = d.oid AND u.refclassid = 'pg_catalog.pg_class'::regclass::oid
           AND pg_catalog.pg_get_expr(d.adbin, d.adrelid) ~ '^nextval\\(''[^'']*(''''[^'']*)*''::regclass\\)(::[a-z]+)?$'
       JOIN pg_catalog.pg_class s ON s.relkind = 'S' AND s.oid = CASE WHEN a.attidentity <> '' THEN u.objid ELSE u.refobjid END
       JOIN pg_catalog.pg_sequence q ON q.seqrelid = s.oid JOIN pg_catalog.pg_namespace n ON n.oid = s.relnamespace
     WHERE a.attrelid = pg_catalog.to_regclass(${literal(tableSql(table))})::oid AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum`,
  )
  const all: Found[] = []
  for (const [column, identity, oid, schema, name, start, increment, min, max, cycle, cache, readable, owned] of rows) {
    const sequence = { schema: schema ?? '', name: name ?? '' }
    const options = {
      start: BigInt(start ?? 1),
      increment: BigInt(increment ?? 1),
      min: BigInt(min ?? 1),
      max: BigInt(max ?? 1),
      cycle: cycle === 't',
      cache: BigInt(cache ?? 1),
    }
    let next: bigint | null = null
    if (readable === 't') {
      const [[last, called] = []] = await session.ask(`SELECT last_value, is_called FROM ${tableSql(sequence)}`)
      next = BigInt(last ?? 0) + (called === 't' ? options.increment : 0n)
    }
    const entry: ColumnSequence = {
      column: column ?? '',
      next,
      options,
      ...(identity === 'a' ? { always: true } : {}),
      ...(identity === '' && owned !== 't' ? { named: sequence } : {}),
    }
    all.push({ oid: oid ?? '', sequence, entry })
  }
  return all
}

/**
 * Moves sequences of a target table up to the source's position, never back.
 * @returns messages about sequences that could not be moved
 */
export async function movePostgresSequences(
  session: CopySession,
  table: TableName,
  wanted: readonly ColumnSequence[],
): Promise<readonly string[]> {
  const there = await found(session, table)
  const notes: string[] = []
  for (const { column, next } of wanted) {
    if (next === null) continue
    const own = there.find(({ entry }) => entry.column === column)
    if (own === undefined) {
      notes.push(`${column} has no sequence in the target: the next number of the source is ${next}`)
      continue
    }
    const { oid, sequence, entry } = own
    const { increment = 1n } = entry.options ?? {}
    if (entry.next === null) {
      notes.push(
        `the position of the sequence of ${column} in the target could not be read; the next number of the source is ${next}`,
      )
      continue
    }
    const goal = furtherPosition(next, entry.next, increment)
    if (goal === entry.next) continue
    const setting = settingFor(goal, entry.options)
    await session.ask(
      `SELECT pg_catalog.setval(${literal(oid)}::oid::regclass, ${setting.value}, ${String(setting.given)}) FROM ${tableSql(sequence)}
       WHERE ${isBehindSql(setting, increment)}`,
    )
  }
  return notes
}

/**
 * Arguments of `setval` after which a sequence continues with `goal`: the number before the goal, marked as used. If
 * the goal is the first number of the sequence: the goal itself, marked as unused.
 */
export function settingFor(
  goal: bigint,
  { increment = 1n, min = 1n, max = 1n }: Partial<SequenceOptions> = {},
): { readonly value: bigint; readonly given: boolean } {
  const before = goal - increment
  const last = before > max ? max : before < min && increment < 0n ? min : before
  const given = last >= min && last <= max
  return { value: given ? last : goal > max ? max : goal < min ? min : goal, given }
}

/** SQL condition: a sequence has not reached the setting. Other sessions may have moved it further. */
export function isBehindSql({ value, given }: ReturnType<typeof settingFor>, increment: bigint): string {
  const behind = `last_value ${increment < 0n ? '>' : '<'} ${value}`
  return given ? `${behind} OR last_value = ${value} AND NOT is_called` : behind
}

/** `GENERATED … AS IDENTITY` with the options of the source's sequence; bounds are cut to the column's type. */
export function identitySql({ options, always }: ColumnSequence, bits: number): string {
  const word = always === true ? 'ALWAYS' : 'BY DEFAULT'
  return `GENERATED ${word} AS IDENTITY${options === undefined ? '' : ` (${optionsSql(options, bits)})`}`
}

/** @param bits of the number type of the column */
export function optionsSql(options: NonNullable<ColumnSequence['options']>, bits: number): string {
  const { start, increment, min, max, cycle, cache } = options
  const least = -(2n ** BigInt(bits - 1))
  const most = -least - 1n
  return [
    `START WITH ${start} INCREMENT BY ${increment}`,
    `MINVALUE ${min < least ? least : min} MAXVALUE ${max > most ? most : max}`,
    `CACHE ${cache}${cycle ? ' CYCLE' : ''}`,
  ].join(' ')
}

/** DEFAULT clause for the plain sequence `named` in the schema of the new table; creates it if missing. */
export async function createNamed(session: CopySession, table: TableName, sequence: ColumnSequence): Promise<string> {
  const name = { ...(table.schema === undefined ? {} : { schema: table.schema }), name: sequence.named?.name ?? '' }
  const sql = tableSql(name)
  const options = sequence.options === undefined ? '' : ` ${optionsSql(sequence.options, 64)}`
  await session.ask(`CREATE SEQUENCE IF NOT EXISTS ${sql}${options}`)
  return `DEFAULT nextval(${literal(sql)}::regclass)`
}
