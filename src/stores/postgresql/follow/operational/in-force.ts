/**
 * Checks that indexes, constraints, triggers and sequences of a table and its partitions are in force, and that a
 * query by the partition key of an existing row reads one partition, according to the server's plan.
 */
import { requiredNext, type SequenceOptions } from '../../../../model/copy/sequence.ts'
import { isBehindSql, settingFor } from '../../copy/positions.ts'
import { quoteName } from '../../server/connect.ts'
import { treeSql } from '../../server/relation.ts'
import type { CopySession, TextRow } from '../../server/session.ts'
import { literal, equalTo } from '../../server/sql.ts'
import { tableText } from '../../../../model/copy/column-type.ts'
import type { OperationalTable } from '../../../../model/follow/operational-port.ts'
import { nextNumbersVerdict, type SignOffCheck } from '../../../../model/follow/sign-off.ts'

/** Maximum number of names in one line. */
const SHOWN = 5

/**
 * A check of all objects of one kind.
 * @param select name and whether the object is in force, and FROM @param of column with the OID of its table
 * @param well, ill words for objects that are in force, or are not
 */
function checking(select: string, of: string, { well, ill, hint }: { well: string; ill: string; hint: string }) {
  return async (session: CopySession, { oid }: CheckedTable): Promise<OperationalVerdict> => {
    const tables = treeSql(`${literal(oid)}::oid`)
    const rows = await session.ask(`SELECT ${select} WHERE ${of} IN (${tables}) ORDER BY 1`)
    const bad = rows.flatMap(([name, fine]) => (fine === 't' ? [] : [name ?? '']))
    if (bad.length === 0) return { outcome: 'ok', found: `${rows.length} ${well}` }
    return { outcome: 'failed', found: `${bad.length} of ${rows.length} ${ill}: ${shown(bad)}`, hint }
  }
}

export const checkIndexes = checking(
  'i.indexrelid::regclass::text, i.indisvalid AND i.indisready AND i.indislive FROM pg_catalog.pg_index i',
  'i.indrelid',
  {
    well: 'valid and ready',
    ill: 'are not valid',
    hint: 'rebuild them with REINDEX INDEX CONCURRENTLY; an index of a partitioned table becomes valid when an index of each partition is attached',
  },
)

export const checkConstraints = checking(
  "c.conrelid::regclass::text || '.' || c.conname::text, c.convalidated FROM pg_catalog.pg_constraint c",
  'c.conrelid',
  {
    well: 'validated',
    ill: 'are not validated',
    hint: 'ALTER TABLE … VALIDATE CONSTRAINT checks the existing rows',
  },
)

/** Checks all triggers, including those of foreign keys: while these are disabled, the key is not enforced. */
export const checkTriggers = checking(
  "t.tgrelid::regclass::text || '.' || t.tgname::text, t.tgenabled IN ('O', 'A') FROM pg_catalog.pg_trigger t",
  't.tgrelid',
  {
    well: 'fire for writers',
    ill: 'do not fire for writers',
    hint: 'ALTER TABLE … ENABLE TRIGGER, or drop the triggers that you do not need',
  },
)

/**
 * Streams do not replicate sequences. If a sequence is behind the column's largest value, the next row fails or reuses
 * a number. If it is behind the source, the next row gets the number of a deleted row.
 */
export async function checkSequences(
  session: CopySession,
  { oid, sql, sequences }: CheckedTable,
): Promise<OperationalVerdict> {
  const owned = await session.ask(
    `SELECT DISTINCT pg_catalog.format('%I.%I', n.nspname, s.relname), a.attname, q.seqincrement, q.seqmin, q.seqmax
     FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_sequence q ON q.seqrelid IN (
         SELECT d.objid FROM pg_catalog.pg_depend d WHERE d.classid = 'pg_catalog.pg_class'::regclass::oid
           AND d.refclassid = 'pg_catalog.pg_class'::regclass::oid AND d.refobjid = a.attrelid AND d.refobjsubid = a.attnum AND d.deptype IN ('a', 'i')
         UNION SELECT d.refobjid FROM pg_catalog.pg_attrdef f JOIN pg_catalog.pg_depend d ON d.classid = 'pg_catalog.pg_attrdef'::regclass::oid
           AND d.objid = f.oid AND d.refclassid = 'pg_catalog.pg_class'::regclass::oid WHERE f.adrelid = a.attrelid AND f.adnum = a.attnum)
       JOIN pg_catalog.pg_class s ON s.oid = q.seqrelid JOIN pg_catalog.pg_namespace n ON n.oid = s.relnamespace
     WHERE a.attrelid = ${literal(oid)}::oid AND a.attnum > 0 AND NOT a.attisdropped ORDER BY 1, 2`,
  )
  if (owned.length === 0) return { outcome: 'not checked', found: 'no column is numbered by a sequence' }
  const ahead: string[] = []
  const behind: string[] = []
  const settings: string[] = []
  for (const [sequence, column, by, min, max] of owned) {
    if (sequence == null || column == null) continue
    const options = { increment: BigInt(by ?? 1), min: BigInt(min ?? 1), max: BigInt(max ?? 1) }
    const { increment } = options
    const [edge, whole, beyond] = increment > 0n ? ['max', 'floor', '>'] : ['min', 'ceil', '<']
    const [[last, called, value, rounded, isBehind] = []]: readonly TextRow[] = await session.ask(
      `SELECT s.last_value, s.is_called, t.edge, ${whole}(t.edge::numeric), t.edge ${beyond} s.last_value OR t.edge = s.last_value AND NOT s.is_called
       FROM ${sequence} s, (SELECT ${edge}(${quoteName(column)}) AS edge FROM ${sql}) t`,
    )
    const next = BigInt(last ?? 0) + (called === 't' ? increment : 0n)
    const source = sequences.find((one) => one.column === column)?.next ?? null
    const furthest = isBehind === 't' ? BigInt(rounded ?? 0) : null
    const { own, goal } = requiredNext({ next, last: furthest, source, increment })
    const at = `${sequence} at ${last}${called === 't' ? '' : ', not used yet'}`
    const ends = `${column} ${value === null || value === undefined ? 'has no value' : `ends at ${value}`}`
    const text = `${at}, ${ends}${goal === own ? '' : `, and the source continues with ${source}`}`
    if (goal === next) {
      ahead.push(text)
      continue
    }
    behind.push(text)
    settings.push(moveSql(sequence, goal, options))
  }
  return nextNumbersVerdict(shown(ahead, '; '), shown(behind, '; '), `, then: ${settings.join('; ')}`)
}

/**
 * Statement after which a sequence continues with `goal` or beyond. Columns, also of other tables, may share the
 * sequence: it never moves back.
 */
function moveSql(sequence: string, goal: bigint, options: Pick<SequenceOptions, 'increment' | 'min' | 'max'>): string {
  const setting = settingFor(goal, options)
  const to = `${setting.value}${setting.given ? '' : ', false'}`
  return `SELECT setval(${literal(sequence)}, ${to}) FROM ${sequence} WHERE ${isBehindSql(setting, options.increment)}`
}

function shown(names: readonly string[], between = ', '): string {
  const more = names.length - SHOWN
  return `${names.slice(0, SHOWN).join(between)}${more > 0 ? ` and ${more} more` : ''}`
}

export async function checkPruning(
  session: CopySession,
  { oid, sql, spec }: CheckedTable,
): Promise<OperationalVerdict> {
  const regclass = `${literal(oid)}::oid::regclass`
  const [[leaves] = []] = await session.ask(
    `SELECT count(*) FROM pg_catalog.pg_partition_tree(${regclass}) WHERE isleaf AND parentrelid IS NOT NULL`,
  )
  if (leaves == null || leaves === '0') return { outcome: 'not checked', found: 'the table is not partitioned' }
  const [[leaf] = []] = await session.ask(`SELECT tableoid FROM ${sql} LIMIT 1`)
  if (leaf == null) return { outcome: 'not checked', found: 'the table has no row to query by key' }
  const keys = await session.ask(
    `SELECT DISTINCT a.attname FROM pg_catalog.pg_partition_ancestors(${literal(leaf)}::oid::regclass) r
       JOIN pg_catalog.pg_partitioned_table p ON p.partrelid = r.relid::oid CROSS JOIN LATERAL pg_catalog.unnest(p.partattrs::int2[]) k (attnum)
       LEFT JOIN pg_catalog.pg_attribute a ON a.attrelid = p.partrelid AND a.attnum = k.attnum AND k.attnum > 0`,
  )
  const names = keys.map(([name]) => name ?? null)
  if (names.includes(null)) return { outcome: 'not checked', found: 'its partition key contains an expression' }
  const columns = names.flatMap((name) => name ?? [])
  const [values] = await session.ask(
    `SELECT ${columns.map((name) => `${quoteName(name)}::text`).join(', ')} FROM ${sql} WHERE tableoid = ${literal(leaf)}::oid LIMIT 1`,
  )
  if (values === undefined) return { outcome: 'not checked', found: 'the queried row is gone' }
  const conditions = columns.map((name, i) => {
    const value = values[i] ?? null
    const column = quoteName(name)
    return value === null ? `${column} IS NULL` : `${column} ${equalTo(spec.columns, name)} ${literal(value)}`
  })
  const [[plan] = []] = await session.ask(
    `EXPLAIN (VERBOSE, FORMAT JSON) SELECT FROM ${sql} WHERE ${conditions.join(' AND ')}`,
  )
  const read = relationsOf(JSON.parse(plan ?? '[]'))
  const by = columns.join(', ')
  if (read.size === 1)
    return { outcome: 'ok', found: `a query by ${by} reads 1 of ${leaves} partitions: ${[...read].join(', ')}` }
  return {
    outcome: 'failed',
    found: `a query by ${by} reads ${read.size} of ${leaves} partitions`,
    hint: 'check enable_partition_pruning and constraint_exclusion of the database and of the role',
  }
}

/** Names of the tables that a plan reads. */
function relationsOf(node: unknown, found = new Set<string>()): ReadonlySet<string> {
  if (Array.isArray(node)) for (const one of node) relationsOf(one, found)
  else if (typeof node === 'object' && node !== null) {
    const { Schema: schema, 'Relation Name': name } = node as Readonly<Record<string, unknown>>
    if (typeof schema === 'string' && typeof name === 'string') found.add(tableText({ schema, name }))
    for (const one of Object.values(node)) relationsOf(one, found)
  }
  return found
}

export type CheckedTable = OperationalTable & { readonly oid: string; readonly sql: string }

export type OperationalVerdict = Pick<SignOffCheck, 'outcome' | 'found' | 'hint'>
