/**
 * Sequences: after the cutover no number is given out that a row has, or that a session may have cached. In a cutover
 * between databases the new table gets only numbers that the old one never issued. A partitioned table does not always
 * refuse a number that is given out again, because its key has the partition column, too.
 */
import { quoteName } from '../../server/connect.ts'
import { literal } from '../../server/sql.ts'
import { grantSteps } from './security.ts'
import type { CutoverTable, CutoverTables, CutoverStep } from './sides.ts'
import type { FurthestValues } from '../../../../model/follow/switch-port.ts'
import type { SidePositions } from '../../../../model/follow/switch-side-port.ts'
import type { CopySession } from '../../server/session.ts'

/** Furthest value of a numbered column, as text of a whole number. */
export type Furthest = { readonly column: string; readonly value: string }

/** A sequence that numbers a column. */
export type Numbering = {
  readonly column: string
  readonly oid: string
  readonly sql: string
  /**
   * `identity`: of an identity column. `owned`: owned by a column of another kind. `default`: only used by a default.
   */
  readonly use: 'identity' | 'owned' | 'default'
  readonly owner: string
  readonly isReadable: boolean
  /** True if this session may set its position. */
  readonly isMovable: boolean
  /** True if this session has the rights of the owner of the sequence. */
  readonly isOurs: boolean
  readonly options: string
  readonly cache: string
  readonly increment: string
  readonly minimum: string
  readonly maximum: string
  /** True if the sequence begins again at the end of its range. */
  readonly cycle: boolean
}

export async function cutoverSequenceFindings(sides: CutoverTables): Promise<readonly CutoverStep[]> {
  const old = await sequencesOf(sides.session, sides.from)
  const fresh = await sequencesOf(sides.session, sides.to)
  const steps: CutoverStep[] = []
  for (const one of old) {
    if (one.use !== 'identity') steps.push(await sharedStep(sides, one))
    const other = fresh.find(({ use, column }) => use === 'identity' && column === one.column)
    // Other inspections refuse a column that is numbered in another way.
    if (one.use !== 'identity' || other === undefined) continue
    const object = { name: `SEQUENCE ${other.sql}`, when: 'before' } as const
    steps.push(identityStep(sides, one, other), ...(await grantSteps(sides, one.oid, other.oid, object)))
  }
  return steps
}

/** Step for a sequence from which the defaults of both tables take their numbers. */
async function sharedStep(sides: CutoverTables, one: Numbering): Promise<CutoverStep> {
  const step = { about: 'sequence', object: one.sql } as const
  const isOwned = one.use === 'owned'
  const column = quoteName(one.column)
  const values = valuesOf(one.column, sides.furthest ?? [])
  if (values.length > 0 && !one.isReadable) {
    return {
      ...step,
      verdict: 'left',
      detail: `this login may not read it, so its next number was not compared with the rows of ${column}`,
    }
  }
  const isBehind = values.length > 0 && (await sides.session.isTrue(isBehindSql(one, values)))
  if (isBehind && !one.isOurs) {
    const furthest = one.increment.startsWith('-') ? 'min' : 'max'
    return {
      ...step,
      verdict: 'refused',
      detail: `its next number may be one that a row has in ${column}, and only ${quoteName(one.owner)} may change it`,
      hint: `as ${quoteName(one.owner)}: SELECT setval(${literal(one.sql)}, (SELECT ${furthest}(${column}) FROM ${sides.from.sql}))`,
    }
  }
  return {
    ...step,
    verdict: 'made',
    detail: `both tables take their numbers from it${isOwned ? '; it will belong to the public table, and stays when the old one is dropped' : ''}`,
    // Other tables may use the sequence, and the lock would wait for their writers. So it is locked only if its
    // position must change.
    ...(isBehind ? { before: [lockSql(one), beyondSql(literal(one.sql), one, 'a.last_value', values, '0')] } : {}),
    ...(isOwned ? { after: [`ALTER SEQUENCE ${one.sql} OWNED BY ${sides.public}.${column}`] } : {}),
  }
}

function identityStep({ to, furthest = [] }: CutoverTables, one: Numbering, other: Numbering): CutoverStep {
  const others = [`(SELECT b.last_value FROM ${other.sql} b)`, ...valuesOf(one.column, furthest)]
  return {
    verdict: 'made',
    about: 'identity',
    object: one.column,
    detail: `its next number is after those of both tables, and after ${one.cache} more that a session may have cached`,
    before: [
      ...(one.options === other.options
        ? []
        : [`ALTER TABLE ${to.sql} ALTER COLUMN ${quoteName(one.column)} ${set(one.options)}`]),
      lockSql(one),
      beyondSql(literal(other.sql), one, 'a.last_value', others, one.cache),
    ],
  }
}

/** Locks the sequence until the transaction ends, also against sessions that call nextval without an INSERT. */
function lockSql({ sql, owner }: Numbering): string {
  return `ALTER SEQUENCE ${sql} OWNER TO ${quoteName(owner)}`
}

/** `SET INCREMENT BY 1 SET …` from the options as a definition writes them. */
function set(options: string): string {
  return options.replaceAll(/(?:^|, )/g, ' SET ').trim()
}

/**
 * SQL that sets a sequence after its last value, after `others`, and after the numbers that sessions may have cached.
 * If that exceeds the range of the sequence, it is set to the furthest of these values. The new position differs from
 * `base` by whole increments, because another server may issue the numbers in between.
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

type SequenceRange = Pick<Numbering, 'sql' | 'increment' | 'minimum' | 'maximum'>

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

/** One sequence of each column: that of its default, or else one that it owns. */
export async function numberings(session: CopySession, side: CutoverTable): Promise<readonly Numbering[]> {
  const all = await sequencesOf(session, side)
  return all.filter(({ column }, at) => all.findIndex((one) => one.column === column) === at)
}

/**
 * Sequences that columns own, or that defaults of columns use, in the order of the columns; those of defaults first.
 */
function sequencesOf(session: CopySession, { oid }: CutoverTable): Promise<readonly Numbering[]> {
  const ofTables = `d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass::oid`
  return session.objects<Numbering>(
    `SELECT pg_catalog.json_build_object('column', a.attname, 'oid', s.oid::text, 'sql', pg_catalog.format('%I.%I', n.nspname, s.relname),
       'use', u.use, 'owner', pg_catalog.pg_get_userbyid(s.relowner), 'isReadable', pg_catalog.has_sequence_privilege(s.oid, 'SELECT'),
       'isMovable', pg_catalog.has_sequence_privilege(s.oid, 'UPDATE'), 'isOurs', pg_catalog.pg_has_role(s.relowner, 'USAGE'),
       'options', pg_catalog.format('INCREMENT BY %s, MINVALUE %s, MAXVALUE %s, START WITH %s, CACHE %s, %s', q.seqincrement, q.seqmin, q.seqmax, q.seqstart, q.seqcache, CASE WHEN q.seqcycle THEN 'CYCLE' ELSE 'NO CYCLE' END),
       'increment', q.seqincrement::text, 'minimum', q.seqmin::text, 'maximum', q.seqmax::text, 'cache', q.seqcache::text, 'cycle', q.seqcycle)
     FROM (SELECT u.attnum, u.sequence, pg_catalog.max(u.use) AS use, pg_catalog.bool_or(u.use = 'default') AS of_default
       FROM (SELECT d.refobjsubid AS attnum, d.objid AS sequence, CASE d.deptype WHEN 'i' THEN 'identity' ELSE 'owned' END AS use FROM pg_catalog.pg_depend d
         WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass::oid AND ${ofTables} AND d.refobjid = ${oid}::oid AND d.deptype IN ('a', 'i')
         UNION ALL SELECT f.adnum, d.refobjid, 'default' FROM pg_catalog.pg_attrdef f JOIN pg_catalog.pg_depend d
           ON d.classid = 'pg_catalog.pg_attrdef'::pg_catalog.regclass::oid AND d.objid = f.oid AND ${ofTables} WHERE f.adrelid = ${oid}::oid) u
       GROUP BY u.attnum, u.sequence) u
       JOIN pg_catalog.pg_class s ON s.oid = u.sequence AND s.relkind = 'S' JOIN pg_catalog.pg_sequence q ON q.seqrelid = s.oid
       JOIN pg_catalog.pg_namespace n ON n.oid = s.relnamespace JOIN pg_catalog.pg_attribute a ON a.attrelid = ${oid}::oid AND a.attnum = u.attnum
     ORDER BY u.attnum, u.of_default DESC, s.oid`,
  )
}
