/** Exchanges names of indexes, constraints and statistics: those of the new table get the public names. */
import type { IndexFact } from './side-facts.ts'
import { suffixed } from '../../archive/move.ts'
import { quoteName } from '../../server/connect.ts'
import { tableSql } from '../../server/sql.ts'
import { notOwnSql } from '../../server/marks.ts'
import { exclusionSql, indexTailSql } from '../../partition/plan/new-table-facts.ts'
import { indexText, makeUnique, partitionKeysSql, refusesAll, refuseSame, uniqueKeySql } from './unique-index.ts'
import type { CutoverTable, CutoverTables, CutoverStep } from './sides.ts'

type Named = IndexFact & {
  readonly oid: string
  readonly kind: 'INDEX' | 'STATISTICS' | 'SEQUENCE'
  readonly schema: string
}

/** Suffixes that `partition plan` appends to the names of the new table's indexes. */
const MARKS = ['p', 'p2', 'p3', 'p4', 'p5', 'p6', 'p7', 'p8', 'p9']

export async function namesOf(sides: CutoverTables): Promise<readonly CutoverStep[]> {
  const old = await namedOf(sides, sides.from)
  const fresh = await namedOf(sides, sides.to)
  const [by = []] = await sides.session.objects<readonly string[]>(`SELECT ${partitionKeysSql(sides.to.oid)}`)
  const [oldBy = []] = await sides.session.objects<readonly string[]>(`SELECT ${partitionKeysSql(sides.from.oid)}`)
  const pairs = pairsOf(old, fresh, [...by, ...oldBy])
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
    const { key } = one
    steps.push(
      key !== null || one.exclusion
        ? {
            verdict: 'refused',
            about: one.exclusion ? 'exclusion' : 'unique index',
            object: one.name,
            detail: `${sides.to.sql} has no such ${one.exclusion ? 'constraint' : 'index'}: rows that this one refuses would no longer be refused`,
            hint:
              key === null
                ? `create it on ${sides.to.sql}, or drop it: ${one.what}`
                : `${makeUnique(sides.to.sql, { ...one, key }, by)}; or drop it`,
          }
        : {
            verdict: 'left',
            about: 'index',
            object: one.name,
            detail: `${sides.to.sql} has no such index: ${one.what}`,
          },
    )
  }
  const taken = new Set(pairs.map(([, other]) => other))
  const unpaired = fresh.filter((one) => !taken.has(one))
  return [...steps, ...surplusOf(unpaired, old, sides)]
}

/** Constraints of the new table that would refuse rows which the old one accepts. */
function surplusOf(fresh: readonly Named[], old: readonly Named[], { to }: CutoverTables): readonly CutoverStep[] {
  const isOld = ({ key }: Named): boolean =>
    key !== null && old.some((other) => other.key !== null && refusesAll(other.key, key))
  return fresh
    .filter((one) => one.exclusion || (one.key !== null && !isOld(one)))
    .map((one) => ({
      verdict: 'refused',
      about: one.exclusion ? 'exclusion' : 'unique index',
      object: one.name,
      detail: `only ${to.sql} has it, and it would refuse rows that the public table accepts: ${indexText(one)}`,
      hint: `drop it from ${to.sql}`,
    }))
}

function exchange([one, other]: readonly [Named, Named]): readonly string[] {
  const renamed = ({ kind, schema }: Named, from: string, to: string): string =>
    `ALTER ${kind} ${tableSql({ schema, name: from })} RENAME TO ${quoteName(to)}`
  if (one.name === other.name) return []
  const between = `sluice_switch_${one.oid}`
  return [renamed(one, one.name, between), renamed(other, other.name, one.name), renamed(one, between, other.name)]
}

/**
 * Pairs objects by name and suffix first; then by definition, if exactly one object of each table has this definition.
 * @param by partition columns, by which two unique indexes of a pair may differ
 */
function pairsOf(
  old: readonly Named[],
  fresh: readonly Named[],
  by: readonly string[],
): readonly (readonly [Named, Named])[] {
  const left = new Set(fresh)
  const pairs: [Named, Named][] = []
  const rest: Named[] = []
  const pair = (one: Named, other: Named): void => {
    left.delete(other)
    pairs.push([one, other])
  }
  for (const one of old) {
    const other = [...left].find((each) => isSibling(one, each, by))
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
  return isOneKind(one, other) && one.what === other.what && refuseSame(one.key, other.key)
}

function isOneKind(one: Named, other: Named): boolean {
  const { kind, schema, exclusion } = one
  return kind === other.kind && schema === other.schema && exclusion === other.exclusion
}

function isSibling(one: Named, other: Named, by: readonly string[]): boolean {
  // Exclusion constraints with different definitions are never a pair, whatever their names.
  if (!isOneKind(one, other) || (one.exclusion && one.what !== other.what)) return false
  if (!refuseSame(one.key, other.key, by)) return false
  return MARKS.some((mark) => suffixed(one.name, mark) === other.name || suffixed(other.name, mark) === one.name)
}

function namedOf(sides: CutoverTables, { oid }: CutoverTable): Promise<readonly Named[]> {
  return sides.session.objects<Named>(
    `SELECT pg_catalog.json_build_object('oid', x.oid::text, 'kind', 'INDEX', 'schema', n.nspname, 'name', x.relname, 
       'exclusion', ${exclusionSql} IS NOT NULL, 'what', coalesce(${exclusionSql}, ${indexTailSql}),
       'key', ${uniqueKeySql})
     FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class x ON x.oid = i.indexrelid JOIN pg_catalog.pg_class c ON c.oid = i.indrelid
       JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = ${oid}::oid AND i.indisvalid AND ${notOwnSql('x.relname')}
     UNION ALL SELECT pg_catalog.json_build_object('oid', s.oid::text, 'kind', 'STATISTICS', 'schema', n.nspname, 'name', s.stxname, 'key', NULL, 'exclusion', false,
       'what', pg_catalog.pg_get_statisticsobjdef_columns(s.oid) || ' ' || s.stxkind::text)
     FROM pg_catalog.pg_statistic_ext s JOIN pg_catalog.pg_namespace n ON n.oid = s.stxnamespace WHERE s.stxrelid = ${oid}::oid
     UNION ALL SELECT pg_catalog.json_build_object('oid', s.oid::text, 'kind', 'SEQUENCE', 'schema', n.nspname, 'name', s.relname, 'key', NULL, 'exclusion', false, 'what', a.attname)
     FROM pg_catalog.pg_depend d JOIN pg_catalog.pg_class s ON s.oid = d.objid AND s.relkind = 'S' JOIN pg_catalog.pg_namespace n ON n.oid = s.relnamespace
       JOIN pg_catalog.pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
     WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass::oid AND d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass::oid AND d.refobjid = ${oid}::oid AND d.deptype = 'i'`,
  )
}
