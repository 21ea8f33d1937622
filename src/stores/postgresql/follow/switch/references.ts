/** Foreign keys to the table that has the public name before the cutover, and constraints of both tables. */
import { quoteName } from '../../server/connect.ts'
import { literal } from '../../server/sql.ts'
import { notOwnSql } from '../../server/marks.ts'
import type { CutoverTable, CutoverTables, CutoverStep } from './sides.ts'

type Incoming = {
  readonly name: string
  readonly child: string
  readonly isSelf: boolean
  readonly definition: string
  readonly isValid: boolean
  readonly isChildPartitioned: boolean
  readonly owned: boolean
  readonly owner: string
  /**
   * True if `to` has a unique index on exactly these columns. For a foreign key of the table to itself: true if `to`
   * has a foreign key of the same name to itself.
   */
  readonly fits: boolean
  readonly columns: readonly string[]
  readonly comment: string | null
}

type Constraint = { readonly kind: 'c' | 'f'; readonly name: string; readonly definition: string }

/** First version that adds foreign keys of partitioned tables without checking their rows. */
const UNCHECKED_PARTITIONED = 180_000

export async function cutoverReferenceFindings(sides: CutoverTables): Promise<readonly CutoverStep[]> {
  const { from, to } = sides
  const incoming = await sides.session.objects<Incoming>(incomingSql(sides))
  const old = await sides.session.objects<Constraint>(constraintsSql(from))
  const fresh = await sides.session.objects<Constraint>(constraintsSql(to))
  return [
    ...incoming.filter(({ isSelf }) => !isSelf).map((one) => repointed(one, sides)),
    ...incoming.filter(({ isSelf }) => isSelf).flatMap((one) => ofItself(one, sides)),
    ...differing(sides, old, fresh),
    ...old.filter(({ kind }) => kind === 'f').map((one) => lagging(one, sides)),
  ]
}

function repointed(one: Incoming, { session, to }: CutoverTables): CutoverStep {
  const { name, child, definition, columns } = one
  const step = { about: 'foreign key to it', object: `${name} of ${child}` }
  const refuse = (detail: string, hint: string): CutoverStep => ({ ...step, verdict: 'refused', detail, hint })
  const drop = `ALTER TABLE ${child} DROP CONSTRAINT ${quoteName(name)}`
  if (!one.owned) return refuse(`${child} belongs to ${one.owner}`, `connect as a member of ${one.owner}`)
  if (!one.fits) {
    const detail = `${to.sql} has no unique index on (${columns.join(', ')}) alone, which the foreign key needs`
    return refuse(detail, `${drop}, and check for orphans regularly; or refer to columns that are unique in both`)
  }
  if (one.isChildPartitioned && session.version < UNCHECKED_PARTITIONED) {
    const detail = `${child} is partitioned: this server checks all of its rows when the key is created again`
    return refuse(detail, `${drop}, and create it again after the cutover`)
  }
  const unchecked = one.isValid ? ' NOT VALID' : ''
  return {
    ...step,
    verdict: 'made',
    detail:
      'it is changed to refer to the other table; new rows are checked at once, and earlier rows are not checked again',
    ...(one.isValid ? { hint: `after the cutover: ALTER TABLE ${child} VALIDATE CONSTRAINT ${quoteName(name)}` } : {}),
    before: [drop],
    after: [
      `ALTER TABLE ${child} ADD CONSTRAINT ${quoteName(name)} ${definition}${unchecked}`,
      ...(one.comment === null
        ? []
        : [`COMMENT ON CONSTRAINT ${quoteName(name)} ON ${child} IS ${literal(one.comment)}`]),
    ],
  }
}

function ofItself({ name, definition, fits }: Incoming, { from, to }: CutoverTables): readonly CutoverStep[] {
  if (fits) return []
  return [
    {
      verdict: 'refused',
      about: 'foreign key to it',
      object: name,
      detail: `${from.sql} refers to itself, and ${to.sql} does not: ${definition}`,
      hint: `ALTER TABLE ${from.sql} DROP CONSTRAINT ${quoteName(name)}, and check for orphans regularly`,
    },
  ]
}

/** Refuses constraints that only one table has: the cutover would lose them, or they would suddenly refuse rows. */
function differing(
  { from, to }: CutoverTables,
  old: readonly Constraint[],
  fresh: readonly Constraint[],
): readonly CutoverStep[] {
  const lacking = (some: readonly Constraint[], others: readonly Constraint[]): readonly Constraint[] =>
    some.filter((one) => !others.some(({ name, definition }) => name === one.name && definition === one.definition))
  const step = ({ kind, name }: Constraint) => ({
    verdict: 'refused' as const,
    about: kind === 'f' ? 'foreign key from it' : 'check',
    object: name,
  })
  return [
    ...lacking(old, fresh).map((one) => ({
      ...step(one),
      detail: `${to.sql} does not have it: ${one.definition}`,
      hint: `ALTER TABLE ${to.sql} ADD CONSTRAINT ${quoteName(one.name)} ${one.definition}`,
    })),
    ...lacking(fresh, old).map((one) => ({
      ...step(one),
      detail: `only ${to.sql} has it, and it would refuse rows that ${from.sql} accepts: ${one.definition}`,
      hint: `ALTER TABLE ${to.sql} DROP CONSTRAINT ${quoteName(one.name)}`,
    })),
  ]
}

function lagging({ name }: Constraint, { oldTable }: CutoverTables): CutoverStep {
  return {
    verdict: 'left',
    about: 'foreign key from it',
    object: name,
    detail: `${oldTable} also has it: a referenced row can be deleted only after the change was applied to ${oldTable}`,
  }
}

function incomingSql({ from, to }: CutoverTables): string {
  const columns = `SELECT a.attname FROM pg_catalog.unnest(k.confkey) u (attnum) JOIN pg_catalog.pg_attribute a ON a.attrelid = k.confrelid AND a.attnum = u.attnum`
  const unique = `EXISTS (SELECT FROM pg_catalog.pg_index i WHERE i.indrelid = ${to.oid}::oid AND i.indisunique AND i.indisvalid AND i.indimmediate AND i.indpred IS NULL AND i.indexprs IS NULL
    AND i.indnkeyatts = pg_catalog.cardinality(k.confkey) AND NOT EXISTS (SELECT FROM pg_catalog.generate_series(0, i.indnkeyatts - 1) AS s (at)
      JOIN pg_catalog.pg_attribute b ON b.attrelid = i.indrelid AND b.attnum = i.indkey[s.at] WHERE b.attname NOT IN (${columns})))`
  const self = `EXISTS (SELECT FROM pg_catalog.pg_constraint o WHERE o.conrelid = ${to.oid}::oid AND o.confrelid = ${to.oid}::oid AND o.conname = k.conname AND o.contype = 'f')`
  return `
    SELECT pg_catalog.json_build_object('name', k.conname, 'child', pg_catalog.format('%I.%I', n.nspname, c.relname), 'isSelf', k.conrelid = k.confrelid, 'definition', pg_catalog.pg_get_constraintdef(k.oid),
      'isValid', k.convalidated AND coalesce((pg_catalog.to_jsonb(k) ->> 'conenforced'::text)::boolean, true), 'isChildPartitioned', c.relkind = 'p',
      'owned', pg_catalog.pg_has_role(c.relowner, 'USAGE'), 'owner', pg_catalog.pg_get_userbyid(c.relowner),
      'fits', CASE WHEN k.conrelid = k.confrelid THEN ${self} ELSE ${unique} END,
      'columns', (SELECT pg_catalog.json_agg(x.attname) FROM (${columns}) x), 'comment', pg_catalog.obj_description(k.oid, 'pg_constraint'))
    FROM pg_catalog.pg_constraint k JOIN pg_catalog.pg_class c ON c.oid = k.conrelid JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    WHERE k.contype = 'f' AND k.confrelid = ${from.oid}::oid AND k.conparentid = 0::oid ORDER BY c.oid, k.conname`
}

/** NOT VALID and NO INHERIT are not compared: they mean nothing for a partitioned table. */
function constraintsSql({ oid }: CutoverTable): string {
  return `
    SELECT pg_catalog.json_build_object('kind', k.contype, 'name', k.conname, 'definition', pg_catalog.regexp_replace(pg_catalog.pg_get_constraintdef(k.oid), '( NO INHERIT| NOT VALID)+$', ''))
    FROM pg_catalog.pg_constraint k WHERE k.conrelid = ${oid}::oid AND k.contype IN ('c', 'f') AND k.conparentid = 0::oid AND k.confrelid <> k.conrelid AND ${notOwnSql('k.conname')} ORDER BY k.conname`
}
