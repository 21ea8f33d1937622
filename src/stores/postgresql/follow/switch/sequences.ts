/**
 * Sequences: after the cutover no number is given out that a row has, or that a session may have cached. In a cutover
 * between databases the new table gets only numbers that the old one never issued. A partitioned table may not refuse a
 * number that is given out again, because its key has the partition column, too.
 */
import { quoteName } from '../../server/connect.ts'
import { literal } from '../../server/sql.ts'
import type { CutoverTable, CutoverTables, CutoverStep } from './sides.ts'
import type { FurthestValues } from '../../../../model/follow/switch-port.ts'
import type { SidePositions } from '../../../../model/follow/switch-side-port.ts'
import type { CopySession } from '../../server/session.ts'

/** Furthest value of a numbered column, as text of a whole number. */
export type Furthest = { readonly column: string; readonly value: string }

type Sequence = {
  readonly oid: string
  readonly sql: string
  readonly column: string
  readonly identity: boolean
  readonly owner: string
  readonly options: string
  readonly increment: string
  readonly minimum: string
  readonly maximum: string
  readonly cache: string
}

export async function cutoverSequenceFindings(sides: CutoverTables): Promise<readonly CutoverStep[]> {
  const { to, furthest = [] } = sides
  const old = await ownedBy(sides, sides.from)
  const fresh = await ownedBy(sides, to)
  const steps: CutoverStep[] = []
  for (const one of old) {
    // Locks the sequence until the transaction ends, also against sessions that call nextval without an INSERT.
    const lock = `ALTER SEQUENCE ${one.sql} OWNER TO ${quoteName(one.owner)}`
    const values = valuesOf(one.column, furthest)
    if (!one.identity) {
      const isBehind = values.length > 0 && (await sides.session.holds(isBehindSql(one, values)))
      steps.push({
        verdict: 'made',
        about: 'sequence',
        object: one.sql,
        detail:
          'both tables take their numbers from it; it will belong to the public table, and stays when the old one is dropped',
        // Other tables may use it, and the lock would wait for their writers: it is locked only if it has to move.
        ...(isBehind ? { before: [lock, beyondSql(literal(one.sql), one, 'a.last_value', values, '0')] } : {}),
        after: [`ALTER SEQUENCE ${one.sql} OWNED BY ${sides.public}.${quoteName(one.column)}`],
      })
      continue
    }
    const other = fresh.find(({ identity, column }) => identity && column === one.column)
    // Other inspections refuse columns that differ.
    if (other === undefined) continue
    steps.push({
      verdict: 'made',
      about: 'identity',
      object: one.column,
      detail: `its next number is after those of both tables, and after ${one.cache} more that a session may have cached`,
      before: [
        ...(one.options === other.options
          ? []
          : [`ALTER TABLE ${to.sql} ALTER COLUMN ${quoteName(one.column)} ${set(one.options)}`]),
        lock,
        beyondSql(
          literal(other.sql),
          one,
          'a.last_value',
          [`(SELECT b.last_value FROM ${other.sql} b)`, ...values],
          one.cache,
        ),
      ],
    })
  }
  return steps
}

/** `SET INCREMENT BY 1 SET …` from the options as a definition writes them. */
function set(options: string): string {
  return options.replaceAll(/(?:^|, )/g, ' SET ').trim()
}

/**
 * SQL that sets a sequence after its last value and others, and after the numbers that sessions may have cached. If
 * that exceeds the range of the sequence, it is set to the furthest of these values. The numbers stay whole increments
 * from `base`: rows may have numbers between them, which another server gives out.
 * @param sequence the sequence to set, as SQL that is cast to regclass
 * @param one sequence `a`, whose last value and range are used
 * @param base last value of the source, in SQL
 * @param others last value of the other sequence, furthest values of rows, in SQL
 * @param cache numbers that a session takes at once, in SQL
 */
function beyondSql(
  sequence: string,
  one: SequenceRange,
  base: string,
  others: readonly string[],
  cache: string,
): string {
  const increment = `'${one.increment}'::numeric`
  const step = `${increment} * (${cache})::numeric`
  const [furthest, isWithin] = one.increment.startsWith('-')
    ? ['least', `f.at + ${step} >= ${one.minimum}::numeric`]
    : ['greatest', `f.at + ${step} <= ${one.maximum}::numeric`]
  const mod = (value: string): string => `pg_catalog.mod(${value}, ${increment})`
  const rounded = `u.at + ${mod(`${increment} - ${mod(`u.at - ${base}::numeric`)}`)}`
  return `SELECT pg_catalog.setval(${sequence}::pg_catalog.regclass, (CASE WHEN ${isWithin} THEN f.at + ${step} ELSE f.at END)::bigint)
    FROM ${one.sql} a, LATERAL (SELECT ${furthest}(${['a.last_value', base, ...others].join(', ')})::numeric AS at) u,
      LATERAL (SELECT least(greatest(${rounded}, ${one.minimum}::numeric), ${one.maximum}::numeric) AS at) f`
}

type SequenceRange = Pick<Sequence, 'sql' | 'increment' | 'minimum' | 'maximum'>

/** SQL condition: the next number of a sequence is not after these values. */
function isBehindSql({ sql, increment }: SequenceRange, values: readonly string[]): string {
  const [beyond, furthest] = increment.startsWith('-') ? ['<', 'least'] : ['>', 'greatest']
  return `SELECT f.at ${beyond} a.last_value OR f.at = a.last_value AND NOT a.is_called FROM ${sql} a, (SELECT ${furthest}(${values.join(', ')})) f (at)`
}

/** Furthest values of a column, in SQL. */
function valuesOf(column: string, furthest: readonly FurthestValues[]): readonly string[] {
  const all = furthest.flatMap(({ text }) => JSON.parse(text) as readonly Furthest[])
  return all.filter((one) => one.column === column).map(({ value }) => `${literal(value)}::numeric`)
}

function ownedBy(sides: CutoverTables, { oid }: CutoverTable): Promise<readonly Sequence[]> {
  return sides.session.objects<Sequence>(
    `SELECT pg_catalog.json_build_object('oid', s.oid::text, 'sql', pg_catalog.format('%I.%I', n.nspname, s.relname), 'column', a.attname, 'identity', d.deptype = 'i', 'owner', pg_catalog.pg_get_userbyid(s.relowner),
       'options', pg_catalog.format('INCREMENT BY %s, MINVALUE %s, MAXVALUE %s, START WITH %s, CACHE %s, %s', q.seqincrement, q.seqmin, q.seqmax, q.seqstart, q.seqcache, CASE WHEN q.seqcycle THEN 'CYCLE' ELSE 'NO CYCLE' END),
       'increment', q.seqincrement::text, 'minimum', q.seqmin::text, 'maximum', q.seqmax::text, 'cache', q.seqcache::text)
     FROM pg_catalog.pg_depend d JOIN pg_catalog.pg_class s ON s.oid = d.objid AND s.relkind = 'S' JOIN pg_catalog.pg_sequence q ON q.seqrelid = s.oid
       JOIN pg_catalog.pg_namespace n ON n.oid = s.relnamespace JOIN pg_catalog.pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
     WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass::oid AND d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass::oid
       AND d.refobjid = ${oid}::oid AND d.deptype IN ('a', 'i') ORDER BY a.attnum`,
  )
}

export type Numbering = {
  readonly column: string
  readonly oid: string
  readonly sql: string
  readonly cache: string
  readonly increment: string
  readonly minimum: string
  readonly maximum: string
  /** True if it begins again at the end of its range. */
  readonly cycle: boolean
}

type Position = Pick<Numbering, 'column' | 'cache'> & { readonly last: string }

/** @throws errors of the server */
export async function positionsOf(session: CopySession, side: CutoverTable): Promise<SidePositions> {
  const positions: Position[] = []
  for (const { column, cache, sql } of await numberings(session, side)) {
    positions.push({ column, cache, last: (await session.one(`SELECT last_value FROM ${sql}`)) ?? '0' })
  }
  return { text: JSON.stringify(positions) }
}

/**
 * Sets the sequences after all numbers that either database may have issued, and after those of the rows. If this would
 * exceed the range of a sequence, it is set to the last of these numbers.
 * @param source positions of the other database
 * @param furthest values of the rows, which are equal on both sides
 * @returns messages about the new positions
 */
export async function advanceSequence(
  session: CopySession,
  side: CutoverTable,
  source: SidePositions,
  furthest: readonly FurthestValues[],
): Promise<readonly string[]> {
  const others = JSON.parse(source.text) as readonly Position[]
  const reported: string[] = []
  for (const one of await numberings(session, side)) {
    const other = others.find(({ column }) => column === one.column)
    if (other === undefined) continue
    const cache = `greatest(${one.cache}, ${other.cache})`
    const last = `${literal(other.last)}::numeric`
    const values = valuesOf(one.column, furthest)
    const [row] = await session.ask(beyondSql(`${literal(one.oid)}::oid`, one, last, values, cache))
    reported.push(`${one.column}: after ${row?.[0]}`)
  }
  return reported
}

/** Sequences owned by columns or used by their defaults. */
export function numberings(session: CopySession, { oid }: CutoverTable): Promise<readonly Numbering[]> {
  return session.objects<Numbering>(
    `SELECT DISTINCT ON (f.attnum) pg_catalog.json_build_object('column', f.attname, 'oid', s.oid::text, 'sql', pg_catalog.format('%I.%I', n.nspname, s.relname), 'cache', q.seqcache::text,
       'increment', q.seqincrement::text, 'minimum', q.seqmin::text, 'maximum', q.seqmax::text, 'cycle', q.seqcycle)::text
     FROM (SELECT d.objid AS sequence, a.attnum, a.attname, 0 AS rank FROM pg_catalog.pg_depend d JOIN pg_catalog.pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
         WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass::oid AND d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass::oid AND d.refobjid = ${oid}::oid AND d.deptype IN ('a', 'i')
       UNION ALL SELECT d.refobjid, a.attnum, a.attname, 1 FROM pg_catalog.pg_attrdef f JOIN pg_catalog.pg_depend d ON d.classid = 'pg_catalog.pg_attrdef'::pg_catalog.regclass::oid AND d.objid = f.oid
           AND d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass::oid JOIN pg_catalog.pg_attribute a ON a.attrelid = f.adrelid AND a.attnum = f.adnum WHERE f.adrelid = ${oid}::oid) f
       JOIN pg_catalog.pg_class s ON s.oid = f.sequence AND s.relkind = 'S' JOIN pg_catalog.pg_namespace n ON n.oid = s.relnamespace JOIN pg_catalog.pg_sequence q ON q.seqrelid = s.oid
     ORDER BY f.attnum, f.rank DESC, s.oid`,
  )
}
