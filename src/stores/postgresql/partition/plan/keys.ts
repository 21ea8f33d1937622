/** Findings about indexes and keys. Each partition enforces unique and exclusion keys for its own rows only. */
import type { PlanFinding } from '../../../../model/partition/plan-port.ts'
import { quoteName } from '../../server/connect.ts'
import { notOwnSql } from '../../server/marks.ts'
import { type About, andList } from './about.ts'
import { indexTailSql } from './new-table-facts.ts'
import { conflictUsers } from './upserts.ts'

type Unique = {
  readonly name: string
  readonly primary: boolean
  /** Key columns; null for an expression. */
  readonly columns: readonly (string | null)[]
  /** True if one of its columns always gets unique values: from a sequence without CYCLE, or as random UUIDs. */
  readonly made: boolean
  readonly definition: string
  /** True for a temporal key (WITHOUT OVERLAPS). */
  readonly period: boolean
  readonly sound: boolean
}

type Exclusion = { readonly name: string; readonly definition: string; readonly equal: boolean }

export async function planKeyFindings(about: About): Promise<readonly PlanFinding[]> {
  const uniques = await uniquesOf(about)
  const found: PlanFinding[] = uniques.map((unique) => verdictOn(unique, about))
  const narrow = uniques.filter(({ columns, period }) => !period && !columns.includes(about.column))
  found.push(...(await conflictUsers(about, narrow)))
  for (const one of await about.session.objects<Exclusion>(exclusionsSql(about))) found.push(exclusion(one, about))
  const others = await about.session.objects<{ readonly name: string; readonly sound: boolean }>(othersSql(about))
  const sound = others.filter(({ sound: ok }) => ok).map(({ name }) => name)
  if (sound.length > 0) {
    found.push({
      verdict: 'made',
      about: 'index',
      object: sound.join(', '),
      detail: 'each partition gets its own, under other names',
    })
  }
  for (const { name, sound: ok } of [...others, ...uniques]) {
    const detail = 'it is not valid, because its build was interrupted: the new table is created without it'
    if (!ok)
      found.push({
        verdict: 'changes',
        about: 'index',
        object: name,
        detail,
        hint: `REINDEX INDEX CONCURRENTLY ${quoteName(name)}, or drop it`,
      })
  }
  return found
}

function uniquesOf(about: About): Promise<readonly Unique[]> {
  return about.session.objects<Unique>(uniquesSql(about))
}

function verdictOn({ name, primary, columns, made, definition, period }: Unique, { column, sql }: About): PlanFinding {
  const kind = primary ? 'primary key' : 'unique'
  const one = { about: kind, object: name }
  if (period) {
    return {
      ...one,
      verdict: 'refused',
      detail: `${definition}: it would be checked only within each partition, and the server refuses it`,
      hint: 'drop it if the application enforces its rule',
    }
  }
  if (columns.includes(column)) return { ...one, verdict: 'made', detail: `${definition} has ${column} in it` }
  const old = andList(columns.map((key) => key ?? 'an expression'))
  const wide = `the server refuses a ${kind === 'unique' ? 'unique index' : kind} without ${column} on a partitioned table`
  const lost = `two rows with the same ${old} at different times would no longer be refused`
  if (made) {
    const names = columns.map((key) => (key === null ? '…' : quoteName(key))).join(', ')
    return {
      ...one,
      verdict: 'changes',
      detail: `${wide}; it becomes ${widened(columns, column)}: ${lost}, but ${old} gets its values from the database; ON CONFLICT (${names}) is refused after that`,
      hint: `allow no program to write its own values into ${old}`,
    }
  }
  return {
    ...one,
    verdict: 'refused',
    detail: `${wide}; as ${widened(columns, column)} ${lost}`,
    hint: primary
      ? `if that is acceptable: ALTER TABLE ${sql} DROP CONSTRAINT ${quoteName(name)}, ADD PRIMARY KEY ${widened(columns, column)}`
      : `drop it, widen it by ${quoteName(column)} if that is enough, or enforce unique values in a separate table`,
  }
}

function widened(columns: readonly (string | null)[], column: string): string {
  return `(${[...columns.map((key) => (key === null ? '…' : quoteName(key))), quoteName(column)].join(', ')})`
}

function exclusion({ name, definition, equal }: Exclusion, { column, session }: About): PlanFinding {
  const one = { about: 'exclusion', object: name }
  const hint = 'drop it if the application enforces its rule'
  if (session.version < 170_000) {
    return {
      ...one,
      verdict: 'refused',
      detail: `${definition}: before PostgreSQL 17 the server does not support it on partitioned tables`,
      hint,
    }
  }
  if (equal) return { ...one, verdict: 'made', detail: definition }
  return {
    ...one,
    verdict: 'refused',
    detail: `${definition}: the server accepts it only if it contains ${column} WITH =`,
    hint,
  }
}

function uniquesSql({ oid }: About): string {
  return `
    SELECT pg_catalog.json_build_object('name', x.relname, 'primary', i.indisprimary,
      'sound', i.indisvalid AND i.indisready,
      'definition', coalesce(pg_catalog.pg_get_constraintdef(k.oid), 'UNIQUE ' || ${indexTailSql}),
      'period', coalesce((pg_catalog.to_jsonb(k) ->> 'conperiod'::text)::boolean, false),
      'columns', (SELECT pg_catalog.json_agg(a.attname ORDER BY g.at) FROM pg_catalog.generate_series(0, i.indnkeyatts - 1) AS g (at)
        LEFT JOIN pg_catalog.pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[g.at] AND a.attnum > 0),
      'made', (SELECT coalesce(pg_catalog.bool_or(NOT coalesce(q.seqcycle, false) AND (a.attidentity <> ''
          OR q.seqrelid IS NOT NULL AND pg_catalog.pg_get_expr(d.adbin, d.adrelid) ~ '^nextval\\('
          OR pg_catalog.pg_get_expr(d.adbin, d.adrelid) ~ '^(public\\.)?(gen_random_uuid|uuidv4|uuidv7|uuid_generate_v[14])\\(')), false)
        FROM pg_catalog.generate_series(0, i.indnkeyatts - 1) AS g (at)
          JOIN pg_catalog.pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[g.at] AND a.attnum > 0
          LEFT JOIN pg_catalog.pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
          LEFT JOIN pg_catalog.pg_sequence q ON q.seqrelid = (SELECT u.refobjid FROM pg_catalog.pg_depend u
              WHERE u.classid = 'pg_catalog.pg_attrdef'::pg_catalog.regclass::oid AND u.objid = d.oid AND u.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass::oid
                AND u.refobjid IN (SELECT s.seqrelid FROM pg_catalog.pg_sequence s) LIMIT 1)
            OR a.attidentity <> '' AND q.seqrelid = (SELECT u.objid FROM pg_catalog.pg_depend u
              WHERE u.classid = 'pg_catalog.pg_class'::pg_catalog.regclass::oid AND u.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass::oid
                AND u.refobjid = a.attrelid AND u.refobjsubid = a.attnum AND u.deptype = 'i' LIMIT 1)))
    FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class x ON x.oid = i.indexrelid
      JOIN pg_catalog.pg_class c ON c.oid = i.indrelid JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
      LEFT JOIN pg_catalog.pg_constraint k ON k.conindid = x.oid AND k.conrelid = i.indrelid AND k.contype IN ('u', 'p')
    WHERE i.indrelid = ${oid}::oid AND i.indisunique AND ${notOwnSql('x.relname')} ORDER BY NOT i.indisprimary, x.relname`
}

function exclusionsSql({ oid, attnum }: About): string {
  return `
    SELECT pg_catalog.json_build_object('name', k.conname, 'definition', pg_catalog.pg_get_constraintdef(k.oid),
      'equal', EXISTS (SELECT FROM unnest(k.conkey, k.conexclop) AS p (attnum, op) JOIN pg_catalog.pg_operator o ON o.oid = p.op
        WHERE p.attnum = ${attnum} AND o.oprname = '='))
    FROM pg_catalog.pg_constraint k WHERE k.conrelid = ${oid}::oid AND k.contype = 'x' ORDER BY k.conname`
}

function othersSql({ oid }: About): string {
  return `
    SELECT pg_catalog.json_build_object('name', x.relname, 'sound', i.indisvalid AND i.indisready)
    FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class x ON x.oid = i.indexrelid
    WHERE i.indrelid = ${oid}::oid AND NOT i.indisunique
      AND NOT EXISTS (SELECT FROM pg_catalog.pg_constraint k WHERE k.conindid = x.oid AND k.conrelid = i.indrelid AND k.contype = 'x') ORDER BY x.relname`
}
