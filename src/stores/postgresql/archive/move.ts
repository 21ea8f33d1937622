/** Moves tables to the schema of archived tables, and back; nothing is overwritten on either side. */
import { tableText, type TableName } from '../../../model/copy/column-type.ts'
import { SluiceError } from '../../../shared/errors.ts'
import { quoteName } from '../server/connect.ts'
import { unlessMadeMeanwhile } from '../server/made-meanwhile.ts'
import type { CopySession } from '../server/session.ts'
import { literal, MOST_NAME_BYTES, tableSql } from '../server/sql.ts'
import type { KnownTable } from '../server/locks.ts'
import { hasOwnSchema } from '../server/trusted-tables.ts'

export const ARCHIVED_SCHEMA = 'sluice_archived'

/**
 * Name of a table in the schema of archived tables. It contains the OID: a table of the same name, from another schema
 * or an earlier year, may be archived too.
 */
export function archivedName({ name }: TableName, oid: string): TableName {
  return { schema: ARCHIVED_SCHEMA, name: suffixed(name, oid) }
}

/** True if a name is the archived name of this table, with any OID. */
export function isArchivedName(name: string, table: TableName): boolean {
  const oid = /_(\d{1,10})$/.exec(name)?.[1]
  return oid !== undefined && archivedName(table, oid).name === name
}

/**
 * Creates a missing schema in its own transaction: otherwise two sessions that create it would wait for each other.
 * @throws SluiceError as `hasArchivedSchema`
 */
export async function ensureArchivedSchema(session: CopySession): Promise<void> {
  await unlessMadeMeanwhile(async () => {
    if (!(await hasArchivedSchema(session))) await session.ask(`CREATE SCHEMA ${quoteName(ARCHIVED_SCHEMA)}`)
  })
}

/** True if the schema exists. @throws SluiceError TABLE_REFUSED if an untrusted role owns it, which may drop tables */
export function hasArchivedSchema(session: CopySession): Promise<boolean> {
  return hasOwnSchema((sql) => session.ask(sql), ARCHIVED_SCHEMA, session.settings.label)
}

/**
 * Moves an exclusively locked table into the schema of archived tables. Moves its sequences too, except those that
 * defaults of other tables use: programs find these by their names, and they must remain if the table is dropped.
 * @param called its name as a partition
 */
export async function moveAway(session: CopySession, table: KnownTable, called: TableName = table.name): Promise<void> {
  await session.askAll(await sequencesOfOthers(session, table))
  await moveTable(session, table, archivedName(called, table.oid))
}

/**
 * Statements for sequences of the table that defaults of other tables use. Each sequence is then owned by a column of
 * one of these tables; or by no column, if that table has another owner or schema than the sequence.
 */
async function sequencesOfOthers(session: CopySession, { oid }: KnownTable): Promise<readonly string[]> {
  const root = (table: string): string => `coalesce(pg_catalog.pg_partition_root(${table})::oid, ${table})`
  return await session.texts(
    `SELECT DISTINCT ON (s.oid) pg_catalog.format('ALTER SEQUENCE %I.%I OWNED BY ', n.nspname, s.relname)
       || CASE WHEN u.relowner = s.relowner AND u.relnamespace = s.relnamespace THEN pg_catalog.format('%I.%I.%I', n.nspname, u.relname, a.attname) ELSE 'NONE' END
     FROM pg_catalog.pg_depend o JOIN pg_catalog.pg_class s ON s.oid = o.objid AND s.relkind = 'S' JOIN pg_catalog.pg_namespace n ON n.oid = s.relnamespace
       JOIN pg_catalog.pg_depend d ON d.classid = 'pg_catalog.pg_attrdef'::pg_catalog.regclass::oid AND d.refclassid = o.classid AND d.refobjid = s.oid
       JOIN pg_catalog.pg_attrdef f ON f.oid = d.objid JOIN pg_catalog.pg_class u ON u.oid = f.adrelid
       JOIN pg_catalog.pg_attribute a ON a.attrelid = f.adrelid AND a.attnum = f.adnum
     WHERE o.classid = 'pg_catalog.pg_class'::pg_catalog.regclass::oid AND o.refclassid = o.classid AND o.refobjid = ${literal(oid)}::oid AND o.deptype = 'a'
       AND ${root('u.oid')} <> ${root(`${literal(oid)}::oid`)}
     ORDER BY s.oid, u.relispartition, u.oid`,
  )
}

/**
 * Moves an exclusively locked table with its indexes and sequences, which get other names if their names are taken.
 * @param to a free name
 * @throws SluiceError TABLE_REFUSED if it is not free
 */
export async function moveTable(session: CopySession, { oid, name: from }: KnownTable, to: TableName): Promise<void> {
  await requireFree(session, to, oid)
  const schema = to.schema ?? 'public'
  let now = from
  const rename = async (name: string): Promise<void> => {
    if (now.name === name) return
    await session.ask(`ALTER TABLE ${tableSql(now)} RENAME TO ${quoteName(name)}`)
    now = { ...now, name }
  }
  if (now.schema === schema) return rename(to.name)
  await renameTaken(session, oid, schema)
  // Rename before or after SET SCHEMA, depending on which name is free.
  if (await isTaken(session, { ...now, schema }, oid)) await rename(to.name)
  await session.ask(`ALTER TABLE ${tableSql(now)} SET SCHEMA ${quoteName(schema)}`)
  now = { ...now, schema }
  await rename(to.name)
}

/** @throws SluiceError TABLE_REFUSED if another table has the name */
export async function requireFree(session: CopySession, name: TableName, oid = '0'): Promise<void> {
  if (!(await isTaken(session, name, oid))) return
  throw new SluiceError(
    'TABLE_REFUSED',
    `the name ${tableText(name)} is already used by another table, view, index or type`,
    {
      hint: 'rename one of them, then run the same command again',
    },
  )
}

/** True if another object has the name. Relations and types of a schema share one namespace: every table is a type. */
export async function isTaken(session: CopySession, { schema, name }: TableName, oid: string): Promise<boolean> {
  const place = `(SELECT oid FROM pg_catalog.pg_namespace WHERE nspname = ${literal(schema ?? 'public')})`
  const rows = await session.ask(
    `SELECT FROM pg_catalog.pg_class WHERE relname = ${literal(name)} AND relnamespace = ${place} AND oid <> ${literal(oid)}::oid
     UNION ALL SELECT FROM pg_catalog.pg_type WHERE typname = ${literal(name)} AND typnamespace = ${place} AND typrelid <> ${literal(oid)}::oid`,
  )
  return rows.length > 0
}

async function renameTaken(session: CopySession, oid: string, schema: string): Promise<void> {
  const rows = await session.ask(
    `SELECT c.oid, n.nspname, c.relname, c.relkind FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
     WHERE (c.oid IN (SELECT indexrelid FROM pg_catalog.pg_index WHERE indrelid = ${literal(oid)}::oid)
         OR c.relkind = 'S' AND c.oid IN (SELECT objid FROM pg_catalog.pg_depend
           WHERE classid = 'pg_catalog.pg_class'::regclass::oid AND refclassid = 'pg_catalog.pg_class'::regclass::oid
             AND refobjid = ${literal(oid)}::oid AND deptype IN ('a', 'i')))
       AND EXISTS (SELECT FROM pg_catalog.pg_class o JOIN pg_catalog.pg_namespace s ON s.oid = o.relnamespace
         WHERE s.nspname = ${literal(schema)} AND o.relname = c.relname)`,
  )
  for (const [own, place, name, kind] of rows) {
    const what = kind === 'S' ? 'SEQUENCE' : 'INDEX'
    const old = tableSql({ schema: place ?? '', name: name ?? '' })
    await session.ask(`ALTER ${what} ${old} RENAME TO ${quoteName(suffixed(name ?? '', own ?? ''))}`)
  }
}

/** `name_suffix`, truncated between two characters if it is too long. */
export function suffixed(name: string, suffix: string): string {
  let kept = ''
  let bytes = Buffer.byteLength(suffix) + 1
  for (const character of name) {
    bytes += Buffer.byteLength(character)
    if (bytes > MOST_NAME_BYTES) break
    kept += character
  }
  return `${kept}_${suffix}`
}
