/** Adapts a detached table to its parent, which may have other columns and rules now, so that it can be attached. */
import type { ColumnChanges } from '../../../model/archive/port.ts'
import { tableText } from '../../../model/copy/column-type.ts'
import { SluiceError } from '../../../shared/errors.ts'
import { quoteName } from '../server/connect.ts'
import type { KnownTable } from '../server/locks.ts'
import type { CopySession } from '../server/session.ts'
import { literal, tableSql } from '../server/sql.ts'
import { suffixed } from './move.ts'
import type { PropertyRestorer } from './own.ts'

/**
 * Adapts an exclusively locked table to later changes of its parent's columns.
 * @param own properties that the partition has in addition to those of its parent
 * @throws SluiceError VALUE_REFUSED, TABLE_REFUSED if a rule of the parent excludes a row or the partition's own rule;
 * errors of the server, such as for a value that does not fit the new type
 */
export async function reshapeTable(
  session: CopySession,
  table: KnownTable,
  parent: KnownTable,
  { dropped, renamed }: ColumnChanges,
  own: Pick<PropertyRestorer, 'hasConstraint'> | null,
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
    else {
      if (one.isText) await refuseCutTexts(session, table, one)
      await alter(`ALTER COLUMN ${name} TYPE ${one.type}${one.collation}`)
    }
  }
  for (const name of await computedOf(session, table, parent)) await alter(`ALTER COLUMN ${name} DROP EXPRESSION`)
  for (const one of await neededOf(session, table, parent)) {
    if (one.unchecked === null) await refuseNulls(session, table, parent, one.name)
    await alter(one.unchecked ?? `ALTER COLUMN ${quoteName(one.name)} SET NOT NULL`)
  }
  for (const sql of await checksOf(session, table, parent, own)) await alter(sql)
}

/** @throws SluiceError TABLE_REFUSED if a row has NULL in this column */
async function refuseNulls(
  session: CopySession,
  table: KnownTable,
  { name: parent }: KnownTable,
  column: string,
): Promise<void> {
  const name = quoteName(column)
  const nulls = await session.one(`SELECT pg_catalog.count(*) FROM ${tableSql(table.name)} WHERE ${name} IS NULL`)
  if (nulls === '0') return
  throw new SluiceError(
    'TABLE_REFUSED',
    `${nulls} rows of ${tableText(table.name)} have NULL in column ${column}, which is NOT NULL in ${tableText(parent)} now`,
    {
      where: tableText(parent),
      reason: 'the table cannot be attached; nothing was changed',
      hint: `ALTER TABLE ${tableSql(parent)} ALTER COLUMN ${name} DROP NOT NULL, then run the same command again; or restore the rows into another table with --into`,
    },
  )
}

/** Refuses texts whose trailing blanks the server would cut without an error. @throws SluiceError VALUE_REFUSED */
async function refuseCutTexts(session: CopySession, table: KnownTable, { name, type }: ParentColumn): Promise<void> {
  const text = `${quoteName(name)}::text COLLATE "C"`
  const cut = await session.one(
    `SELECT pg_catalog.count(*) FROM ${tableSql(table.name)} WHERE ${text} <> CAST(${quoteName(name)} AS ${type})::text`,
  )
  if (cut === '0') return
  throw new SluiceError(
    'VALUE_REFUSED',
    `${cut} values of column ${name} of ${tableText(table.name)} do not fit its present type ${type}`,
    {
      where: tableText(table.name),
      hint: `give the column a longer type and restore the partition again, or change these values in ${tableText(table.name)} first`,
    },
  )
}

type ParentColumn = {
  readonly name: string
  readonly type: string
  /** Clauses of the column definition, each with a leading blank; an empty text for a clause that is not needed. */
  readonly collation: string
  readonly value: string
  readonly needed: string
  readonly isNew: boolean
  /** True if both types are texts. */
  readonly isText: boolean
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
       a.attnotnull, CASE a.attgenerated WHEN 's' THEN 'STORED' WHEN 'v' THEN 'VIRTUAL' END, pg_catalog.pg_get_expr(d.adbin, d.adrelid), o.attnum IS NULL,
       t.typcategory = 'S' AND (SELECT f.typcategory FROM pg_catalog.pg_type f WHERE f.oid = o.atttypid) = 'S'
     FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_type t ON t.oid = a.atttypid
       LEFT JOIN pg_catalog.pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
       LEFT JOIN pg_catalog.pg_attribute o ON o.attrelid = ${literal(oid)}::oid AND o.attname = a.attname AND NOT o.attisdropped
     WHERE a.attrelid = ${literal(parent.oid)}::oid AND a.attnum > 0 AND NOT a.attisdropped
       AND (o.attnum IS NULL OR o.atttypid <> a.atttypid OR o.atttypmod <> a.atttypmod OR o.attcollation <> a.attcollation)
     ORDER BY a.attnum`,
  )
  return rows.map(([name, type, collation, notNull, generated, expression, isNew, isText]) => ({
    name: name ?? '',
    type: type ?? '',
    collation: collation == null ? '' : ` COLLATE ${collation}`,
    value:
      expression == null
        ? ''
        : generated == null
          ? ` DEFAULT ${expression}`
          : ` GENERATED ALWAYS AS (${expression}) ${generated}`,
    needed: notNull === 't' ? ' NOT NULL' : '',
    isNew: isNew === 't',
    isText: isText === 't',
  }))
}

/** Quoted names of generated columns that the parent does not compute any more. */
async function computedOf(session: CopySession, { oid }: KnownTable, parent: KnownTable): Promise<readonly string[]> {
  const rows = await session.ask(
    `SELECT a.attname FROM ${sharedColumns(oid, parent)} WHERE o.attgenerated <> '' AND a.attgenerated = '' ORDER BY a.attnum`,
  )
  return rows.map(([name]) => quoteName(name ?? ''))
}

/** @property unchecked clause of a NOT NULL constraint that old rows need not meet, as the parent has it; else null */
type NeededColumn = { readonly name: string; readonly unchecked: string | null }

/** Columns that are NOT NULL only in the parent. */
async function neededOf(
  session: CopySession,
  { oid }: KnownTable,
  parent: KnownTable,
): Promise<readonly NeededColumn[]> {
  const rows = await session.ask(
    `SELECT a.attname, k.conname, pg_catalog.pg_get_constraintdef(k.oid) FROM ${sharedColumns(oid, parent)}
       LEFT JOIN pg_catalog.pg_constraint k ON k.conrelid = a.attrelid AND k.contype = 'n' AND NOT k.convalidated AND k.conkey[1] = a.attnum
     WHERE a.attnotnull AND NOT o.attnotnull ORDER BY a.attnum`,
  )
  return rows.map(([name, constraint, definition]) => ({
    name: name ?? '',
    unchecked: constraint == null ? null : `ADD CONSTRAINT ${quoteName(constraint)} ${definition ?? ''}`,
  }))
}

/** FROM items: columns `a` of the parent, and `o` of the table. */
function sharedColumns(oid: string, parent: KnownTable): string {
  return `(SELECT * FROM pg_catalog.pg_attribute WHERE attrelid = ${literal(parent.oid)}::oid AND attnum > 0 AND NOT attisdropped) a
     JOIN pg_catalog.pg_attribute o ON o.attrelid = ${literal(oid)}::oid AND o.attname = a.attname AND NOT o.attisdropped`
}

const NOT_VALID = / NOT VALID$/

/**
 * Clauses that give the table the CHECK constraints of its parent, which a partition needs. A constraint of this name
 * with another definition is an earlier one of the parent.
 * @throws SluiceError TABLE_REFUSED if the partition has a constraint of its own with this name
 */
async function checksOf(
  session: CopySession,
  table: KnownTable,
  parent: KnownTable,
  own: Pick<PropertyRestorer, 'hasConstraint'> | null,
): Promise<readonly string[]> {
  const rows = await session.ask(
    `SELECT p.conname, pg_catalog.pg_get_constraintdef(p.oid), pg_catalog.pg_get_constraintdef(o.oid) FROM pg_catalog.pg_constraint p
       LEFT JOIN pg_catalog.pg_constraint o ON o.conrelid = ${literal(table.oid)}::oid AND o.conname = p.conname
     WHERE p.conrelid = ${literal(parent.oid)}::oid AND p.contype = 'c' AND NOT p.connoinherit ORDER BY 1`,
  )
  return rows.flatMap(([name, definition, before]) => {
    const [constraint, wanted] = [quoteName(name ?? ''), definition ?? '']
    const add = `ADD CONSTRAINT ${constraint} ${wanted}`
    if (before == null) return [add]
    if (before.replace(NOT_VALID, '') === wanted.replace(NOT_VALID, ''))
      return NOT_VALID.test(before) && !NOT_VALID.test(wanted) ? [`VALIDATE CONSTRAINT ${constraint}`] : []
    if (own?.hasConstraint(name ?? '') === true) throw ownConstraint(table, parent, name ?? '')
    return [`DROP CONSTRAINT ${constraint}`, add]
  })
}

function ownConstraint({ name: table }: KnownTable, { name: parent }: KnownTable, constraint: string): SluiceError {
  return new SluiceError(
    'TABLE_REFUSED',
    `${tableText(table)} and ${tableText(parent)} have different constraints with the name ${constraint}`,
    {
      where: tableText(parent),
      reason: 'the table cannot be attached; nothing was changed',
      hint: `ALTER TABLE ${tableSql(table)} RENAME CONSTRAINT ${quoteName(constraint)} TO ${quoteName(suffixed(constraint, 'own'))}, then run the same command again`,
    },
  )
}
