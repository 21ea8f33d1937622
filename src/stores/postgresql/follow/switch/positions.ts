/** Sequences in a cutover between databases: the new table gets only numbers that the old one never issued. */
import type { SidePositions } from '../../../../model/follow/switch-side-port.ts'
import type { CopySession } from '../../server/session.ts'
import { literal } from '../../server/sql.ts'
import { beyondSql } from './sequences.ts'
import type { CutoverTable } from './sides.ts'

type Numbering = {
  readonly column: string
  readonly oid: string
  readonly sql: string
  readonly cache: string
  readonly increment: string
  readonly minimum: string
  readonly maximum: string
}

type Position = Pick<Numbering, 'column' | 'cache'> & { readonly last: string }

/** @throws errors of the server */
export async function positionsOf(session: CopySession, side: CutoverTable): Promise<SidePositions> {
  const positions: Position[] = []
  for (const { column, cache, sql } of await numberings(session, side)) {
    const [row] = await session.ask(`SELECT last_value FROM ${sql}`)
    positions.push({ column, cache, last: row?.[0] ?? '0' })
  }
  return { text: JSON.stringify(positions) }
}

/**
 * Sets the sequences after all numbers that either database may have issued. If this would exceed the range of a
 * sequence, it is set to the last issued number.
 * @param source positions of the other database
 * @returns messages about the new positions
 */
export async function advanceSequence(
  session: CopySession,
  side: CutoverTable,
  source: SidePositions,
): Promise<readonly string[]> {
  const others = JSON.parse(source.text) as readonly Position[]
  const reported: string[] = []
  for (const one of await numberings(session, side)) {
    const other = others.find(({ column }) => column === one.column)
    if (other === undefined) continue
    const cache = `greatest(${one.cache}, ${other.cache})`
    const [row] = await session.ask(
      beyondSql(`${literal(one.oid)}::oid`, one, `${literal(other.last)}::numeric`, cache),
    )
    reported.push(`${one.column}: after ${row?.[0]}`)
  }
  return reported
}

/** Sequences owned by columns or used by their defaults. */
function numberings(session: CopySession, { oid }: CutoverTable): Promise<readonly Numbering[]> {
  return session.objects<Numbering>(
    `SELECT DISTINCT ON (f.attnum) pg_catalog.json_build_object('column', f.attname, 'oid', s.oid::text, 'sql', pg_catalog.format('%I.%I', n.nspname, s.relname), 'cache', q.seqcache::text,
       'increment', q.seqincrement::text, 'minimum', q.seqmin::text, 'maximum', q.seqmax::text)::text
     FROM (SELECT d.objid AS sequence, a.attnum, a.attname, 0 AS rank FROM pg_catalog.pg_depend d JOIN pg_catalog.pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
         WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass::oid AND d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass::oid AND d.refobjid = ${oid}::oid AND d.deptype IN ('a', 'i')
       UNION ALL SELECT d.refobjid, a.attnum, a.attname, 1 FROM pg_catalog.pg_attrdef f JOIN pg_catalog.pg_depend d ON d.classid = 'pg_catalog.pg_attrdef'::pg_catalog.regclass::oid AND d.objid = f.oid
           AND d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass::oid JOIN pg_catalog.pg_attribute a ON a.attrelid = f.adrelid AND a.attnum = f.adnum WHERE f.adrelid = ${oid}::oid) f
       JOIN pg_catalog.pg_class s ON s.oid = f.sequence AND s.relkind = 'S' JOIN pg_catalog.pg_namespace n ON n.oid = s.relnamespace JOIN pg_catalog.pg_sequence q ON q.seqrelid = s.oid
     ORDER BY f.attnum, f.rank DESC, s.oid`,
  )
}
