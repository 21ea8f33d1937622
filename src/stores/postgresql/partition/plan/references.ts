/** Foreign keys of the table, and foreign keys that refer to it. */
import type { PlanFinding } from '../../../../model/partition/plan-port.ts'
import { quoteName } from '../../server/connect.ts'
import { type About, andList } from './about.ts'

type Reference = {
  readonly name: string
  readonly definition: string
  readonly from: string
  readonly to: string
  readonly toColumns: readonly string[]
  readonly outgoing: boolean
  readonly incoming: boolean
  readonly valid: boolean
  readonly enforced: boolean
}

export async function planReferenceFindings(about: About): Promise<readonly PlanFinding[]> {
  const found: PlanFinding[] = []
  for (const one of await about.session.objects<Reference>(referencesSql(about))) {
    if (one.incoming) found.push(incoming(one, about))
    else found.push(outgoing(one, about))
  }
  return found
}

function outgoing({ name, definition, to, valid, enforced }: Reference, { sql }: About): PlanFinding {
  const one = { about: 'foreign key from it', object: name }
  if (!enforced) return { ...one, verdict: 'made', detail: `to ${to}; NOT ENFORCED, as before` }
  if (valid) return { ...one, verdict: 'made', detail: `to ${to}; each row is checked again when it is copied` }
  return {
    ...one,
    verdict: 'changes',
    detail: `to ${to}; it was never checked (NOT VALID), and the new one is checked: a row that violates it is not copied`,
    hint: `ALTER TABLE ${sql} VALIDATE CONSTRAINT ${quoteName(name)} finds such rows; it is ${definition}`,
  }
}

function incoming({ name, from, toColumns, outgoing: own }: Reference, { sql, column }: About): PlanFinding {
  const one = { about: 'foreign key to it', object: `${from} ${name}` }
  const whose = own ? 'the table refers to itself' : `rows of ${from} refer to it`
  const drop = `ALTER TABLE ${own ? sql : from} DROP CONSTRAINT ${quoteName(name)}`
  if (toColumns.includes(column)) {
    return {
      ...one,
      verdict: 'changes',
      detail: `${whose} by ${andList(toColumns)}: it is bound to the old table, and must refer to the new one before the old one is dropped`,
      hint: `${drop}, and create it again after the cutover`,
    }
  }
  return {
    ...one,
    verdict: 'refused',
    detail: `${whose} by ${andList(toColumns)}, and the server needs a unique key with ${column} for a reference to a partitioned table`,
    hint: `add a column with that time to ${own ? 'it' : from}, and refer to both columns; or ${drop}, and check for orphans regularly`,
  }
}

function referencesSql({ oid }: About): string {
  return `
    SELECT pg_catalog.json_build_object('name', k.conname, 'definition', pg_catalog.pg_get_constraintdef(k.oid),
      'from', k.conrelid::pg_catalog.regclass::text, 'to', k.confrelid::pg_catalog.regclass::text,
      'toColumns', (SELECT pg_catalog.json_agg(a.attname ORDER BY u.place) FROM pg_catalog.unnest(k.confkey) WITH ORDINALITY AS u (attnum, place)
        JOIN pg_catalog.pg_attribute a ON a.attrelid = k.confrelid AND a.attnum = u.attnum),
      'outgoing', k.conrelid = ${oid}::oid, 'incoming', k.confrelid = ${oid}::oid, 'valid', k.convalidated,
      'enforced', coalesce((pg_catalog.to_jsonb(k) ->> 'conenforced'::text)::boolean, true))
    FROM pg_catalog.pg_constraint k WHERE k.contype = 'f' AND ${oid}::oid IN (k.conrelid, k.confrelid) AND k.conparentid = 0::oid
    ORDER BY k.confrelid <> ${oid}::oid, 1::text, k.conname`
}
