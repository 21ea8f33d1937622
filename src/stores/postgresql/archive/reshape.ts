/** Adapts a detached table to later changes of its parent's columns, so that it can be attached again. */
import type { Reshape } from '../../../model/archive/port.ts'
import { quoteName } from '../server/connect.ts'
import type { CopySession } from '../server/session.ts'
import { literal, tableSql } from '../server/sql.ts'
import type { KnownTable } from '../server/locks.ts'

/** The table is locked exclusively. @throws errors of the server, such as for a value that does not fit the new type */
export async function reshapeTable(
  session: CopySession,
  table: KnownTable,
  parent: KnownTable,
  { dropped, renamed }: Reshape,
): Promise<void> {
  const alter = (what: string): Promise<unknown> => session.ask(`ALTER TABLE ${tableSql(table.name)} ${what}`)
  for (const name of dropped) await alter(`DROP COLUMN ${quoteName(name)}`)
  // Two columns may have swapped names.
  const away = (i: number): string => quoteName(`sluice_renamed_${i}`)
  for (const [i, { from }] of renamed.entries()) await alter(`RENAME COLUMN ${quoteName(from)} TO ${away(i)}`)
  for (const [i, { to }] of renamed.entries()) await alter(`RENAME COLUMN ${away(i)} TO ${quoteName(to)}`)
  for (const one of await columnsOf(session, table, parent)) {
    const name = quoteName(one.name)
    if (one.isNew) await alter(`ADD COLUMN ${name} ${one.type}${one.collation}${one.value}${one.needed}`)
    else await alter(`ALTER COLUMN ${name} TYPE ${one.type}${one.collation}`)
  }
  for (const sql of await checksOf(session, table, parent)) await alter(sql)
}

type ParentColumn = {
  readonly name: string
  readonly type: string
  /** Clauses of the column definition, each with a leading blank; an empty text for a clause that is not needed. */
  readonly collation: string
  readonly value: string
  readonly needed: string
  readonly isNew: boolean
}

/** Columns of the parent that the table lacks, or has in another type. */
async function columnsOf(
  session: CopySession,
  { oid }: KnownTable,
  parent: KnownTable,
): Promise<readonly ParentColumn[]> {
  const rows = await session.ask(
    `SELECT a.attname, pg_catalog.format_type(a.atttypid, a.atttypmod),
       CASE WHEN a.attcollation <> t.typcollation THEN
         (SELECT pg_catalog.quote_ident(n.nspname) || '.' || pg_catalog.quote_ident(c.collname) FROM pg_catalog.pg_collation c
          JOIN pg_catalog.pg_namespace n ON n.oid = c.collnamespace WHERE c.oid = a.attcollation) END,
       a.attnotnull, a.attgenerated <> '', pg_catalog.pg_get_expr(d.adbin, d.adrelid), o.attnum IS NULL
     FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_type t ON t.oid = a.atttypid
       LEFT JOIN pg_catalog.pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
       LEFT JOIN pg_catalog.pg_attribute o ON o.attrelid = ${literal(oid)}::oid AND o.attname = a.attname AND NOT o.attisdropped
     WHERE a.attrelid = ${literal(parent.oid)}::oid AND a.attnum > 0 AND NOT a.attisdropped
       AND (o.attnum IS NULL OR o.atttypid <> a.atttypid OR o.atttypmod <> a.atttypmod OR o.attcollation <> a.attcollation)
     ORDER BY a.attnum`,
  )
  return rows.map(([name, type, collation, notNull, generated, expression, isNew]) => ({
    name: name ?? '',
    type: type ?? '',
    collation: collation == null ? '' : ` COLLATE ${collation}`,
    value:
      expression == null
        ? ''
        : generated === 't'
          ? ` GENERATED ALWAYS AS (${expression}) STORED`
          : ` DEFAULT ${expression}`,
    needed: notNull === 't' ? ' NOT NULL' : '',
    isNew: isNew === 't',
  }))
}

/** Clauses that add CHECK constraints of the parent, which a partition needs. */
async function checksOf(session: CopySession, { oid }: KnownTable, parent: KnownTable): Promise<readonly string[]> {
  const rows = await session.ask(
    `SELECT p.conname, pg_catalog.pg_get_constraintdef(p.oid) FROM pg_catalog.pg_constraint p
     WHERE p.conrelid = ${literal(parent.oid)}::oid AND p.contype = 'c' AND NOT p.connoinherit
       AND NOT EXISTS (SELECT FROM pg_catalog.pg_constraint o WHERE o.conrelid = ${literal(oid)}::oid AND o.conname = p.conname)`,
  )
  return rows.map(([name, definition]) => `ADD CONSTRAINT ${quoteName(name ?? '')} ${definition}`)
}
