/** Exchanges names of indexes, constraints and statistics: the table with the public name keeps the public ones. */
import { suffixed } from '../../archive/move.ts'
import { quoteName } from '../../server/connect.ts'
import { tableSql } from '../../server/sql.ts'
import { notOwnSql } from '../../server/marks.ts'
import { exclusionSql, indexTailSql } from '../../partition/plan/new-table-facts.ts'
import { makeUnique, partitionColumnSql } from './lacking-index.ts'
import type { CutoverTable, CutoverTables, CutoverStep } from './sides.ts'

type Named = {
  readonly oid: string
  readonly kind: 'INDEX' | 'STATISTICS' | 'SEQUENCE'
  readonly schema: string
  readonly name: string
  /** Definition without the name of the object and the name of the table. */
  readonly what: string
  readonly unique: boolean
  readonly exclusion: boolean
  /** Columns of an index; absent for other objects. */
  readonly columns?: readonly string[]
}

/** Suffixes that `partition plan` appends to the names of the new table's indexes. */
const MARKS = ['p', 'p2', 'p3', 'p4', 'p5', 'p6', 'p7', 'p8', 'p9']

export async function namesOf(sides: CutoverTables): Promise<readonly CutoverStep[]> {
  const old = await namedOf(sides, sides.from)
  const fresh = await namedOf(sides, sides.to)
  const by = await sides.session.one(`SELECT ${partitionColumnSql(sides.to.oid)}`)
  const pairs = pairsOf(old, fresh)
  const steps: CutoverStep[] = []
  const names = pairs.map(([one]) => one.name)
  if (pairs.length > 0) {
    steps.push({
      verdict: 'made',
      about: 'names',
      object: names.join(', '),
      detail: 'of indexes, their constraints, statistics and sequences: exchanged, so that the public table keeps them',
      before: pairs.flatMap(exchange),
    })
  }
  const paired = new Set(pairs.map(([one]) => one))
  for (const one of old) {
    if (paired.has(one) || one.kind !== 'INDEX') continue
    steps.push(
      one.unique || one.exclusion
        ? {
            verdict: 'refused',
            about: one.exclusion ? 'exclusion' : 'unique index',
            object: one.name,
            detail: `${sides.to.sql} has no such ${one.exclusion ? 'constraint' : 'index'}: rows that this one refuses would no longer be refused`,
            hint: one.exclusion
              ? `create it on ${sides.to.sql}, or drop it: ${one.what}`
              : `${makeUnique(sides.to.sql, { ...one, columns: one.columns ?? [] }, by)}; or drop it`,
          }
        : {
            verdict: 'left',
            about: 'index',
            object: one.name,
            detail: `${sides.to.sql} has no such index: ${one.what}`,
          },
    )
  }
  return steps
}

function exchange([one, other]: readonly [Named, Named]): readonly string[] {
  const renamed = ({ kind, schema }: Named, from: string, to: string): string =>
    `ALTER ${kind} ${tableSql({ schema, name: from })} RENAME TO ${quoteName(to)}`
  if (one.name === other.name) return []
  const between = `sluice_switch_${one.oid}`
  return [renamed(one, one.name, between), renamed(other, other.name, one.name), renamed(one, between, other.name)]
}

/** Pairs by name and suffix first; then by definition, if exactly one object of each table has it. */
function pairsOf(old: readonly Named[], fresh: readonly Named[]): readonly (readonly [Named, Named])[] {
  const left = new Set(fresh)
  const pairs: [Named, Named][] = []
  const rest: Named[] = []
  const pair = (one: Named, other: Named): void => {
    left.delete(other)
    pairs.push([one, other])
  }
  for (const one of old) {
    const other = [...left].find((each) => isSibling(one, each))
    if (other === undefined) rest.push(one)
    else pair(one, other)
  }
  for (const one of rest) {
    const alike = [...left].filter((each) => isAlike(one, each))
    const rivals = rest.filter((each) => isAlike(each, one))
    if (alike.length === 1 && rivals.length === 1) pair(one, alike[0] as Named)
  }
  return pairs
}

function isAlike(one: Named, other: Named): boolean {
  return isOneKind(one, other) && one.what === other.what
}

function isOneKind(one: Named, other: Named): boolean {
  const { kind, schema, unique, exclusion } = one
  return kind === other.kind && schema === other.schema && unique === other.unique && exclusion === other.exclusion
}

function isSibling(one: Named, other: Named): boolean {
  // Different exclusion constraints are never a pair, whatever their names: they exclude other rows.
  if (!isOneKind(one, other) || (one.exclusion && one.what !== other.what)) return false
  return MARKS.some((mark) => suffixed(one.name, mark) === other.name || suffixed(other.name, mark) === one.name)
}

function namedOf(sides: CutoverTables, { oid }: CutoverTable): Promise<readonly Named[]> {
  return sides.session.objects<Named>(
    `SELECT pg_catalog.json_build_object('oid', x.oid::text, 'kind', 'INDEX', 'schema', n.nspname, 'name', x.relname, 'unique', i.indisunique,
       'exclusion', ${exclusionSql} IS NOT NULL, 'what', coalesce(${exclusionSql}, ${indexTailSql}),
       'columns', (SELECT coalesce(pg_catalog.json_agg(a.attname), '[]') FROM pg_catalog.pg_attribute a WHERE a.attrelid = c.oid AND a.attnum = ANY (i.indkey)))
     FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class x ON x.oid = i.indexrelid JOIN pg_catalog.pg_class c ON c.oid = i.indrelid
       JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = ${oid}::oid AND i.indisvalid AND ${notOwnSql('x.relname')}
     UNION ALL SELECT pg_catalog.json_build_object('oid', s.oid::text, 'kind', 'STATISTICS', 'schema', n.nspname, 'name', s.stxname, 'unique', false, 'exclusion', false,
       'what', pg_catalog.pg_get_statisticsobjdef_columns(s.oid) || ' ' || s.stxkind::text)
     FROM pg_catalog.pg_statistic_ext s JOIN pg_catalog.pg_namespace n ON n.oid = s.stxnamespace WHERE s.stxrelid = ${oid}::oid
     UNION ALL SELECT pg_catalog.json_build_object('oid', s.oid::text, 'kind', 'SEQUENCE', 'schema', n.nspname, 'name', s.relname, 'unique', false, 'exclusion', false, 'what', a.attname)
     FROM pg_catalog.pg_depend d JOIN pg_catalog.pg_class s ON s.oid = d.objid AND s.relkind = 'S' JOIN pg_catalog.pg_namespace n ON n.oid = s.relnamespace
       JOIN pg_catalog.pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
     WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass::oid AND d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass::oid AND d.refobjid = ${oid}::oid AND d.deptype = 'i'`,
  )
}
