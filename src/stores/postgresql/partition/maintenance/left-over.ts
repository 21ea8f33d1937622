/**
 * Objects that a killed run did not remove: tables with a mark of sluice that are not attached, and noting triggers.
 */
import { tableText, type TableName } from '../../../../model/copy/column-type.ts'
import { tableByIdentity } from '../../server/known.ts'
import type { KnownTable } from '../../server/locks.ts'
import { quoteName } from '../../server/connect.ts'
import { sqlStateOf } from '../../server/server-errors.ts'
import type { CopySession } from '../../server/session.ts'
import { literal, tableSql } from '../../server/sql.ts'
import { loggedTable, NOTING_TRIGGERS, notedTable } from './key-log.ts'
import { isOwnName, markedTablesSql } from './names.ts'
import type { LockRetry } from '../../server/lock-retry.ts'

const UNDEFINED_TABLE = '42P01'
/** Prefix of noting functions. */
const NOTE = 'sluice_note_'

/** Triggers and functions that note changes of a table. A user may have removed some of them. */
type Noting = {
  readonly on: string
  readonly triggers: readonly string[]
  readonly functions: readonly TableName[]
}

type LeftOver = {
  readonly tables: readonly KnownTable[]
  readonly noting: readonly Noting[]
}

/** @param parent OID of the partitioned table @returns text that lists left-over objects; null if there are none */
export async function leftOverOf(session: CopySession, parent: string): Promise<string | null> {
  const { tables, noting } = await findLeftOver(session, parent)
  const words = [
    ...(noting.length > 0 ? ['triggers or functions that record changes of the default partition'] : []),
    ...(tables.length > 0 ? [`not attached: ${tables.map(({ name }) => tableText(name)).join(', ')}`] : []),
  ]
  return words.length === 0 ? null : words.join('; ')
}

/** Drops left-over objects. No other program may work on the table: the objects could belong to that program. */
export async function clearLeftOver(session: CopySession, lockRetry: LockRetry, parent: string): Promise<void> {
  const { tables, noting } = await findLeftOver(session, parent)
  for (const one of noting) await dropNoting(session, lockRetry, one)
  for (const table of tables) {
    try {
      await lockRetry.run([{ table, mode: 'ACCESS EXCLUSIVE' }], async () => {
        // A user may have attached the table meanwhile.
        const still = (await marked(session, parent)).some(({ oid }) => oid === table.oid)
        if (still) await session.ask(`DROP TABLE ${tableSql(table.name)}`)
      })
    } catch (error) {
      // Another run may have removed the table.
      if (sqlStateOf(error) !== UNDEFINED_TABLE) throw error
    }
  }
}

async function dropNoting(
  session: CopySession,
  lockRetry: LockRetry,
  { on, triggers, functions }: Noting,
): Promise<void> {
  const table = await tableByIdentity(session, on)
  await lockRetry.run(table === null ? [] : [{ table, mode: 'ACCESS EXCLUSIVE' }], async () => {
    const statements = [
      ...(table === null
        ? []
        : triggers.map((name) => `DROP TRIGGER IF EXISTS ${quoteName(name)} ON ${tableSql(table.name)}`)),
      ...functions.map((name) => `DROP FUNCTION IF EXISTS ${tableSql(name)}()`),
    ]
    await session.ask(statements.join(';\n'))
  })
}

async function findLeftOver(session: CopySession, parent: string): Promise<LeftOver> {
  const tables = await marked(session, parent)
  return {
    tables,
    noting: await notingOf(
      session,
      parent,
      tables.map(({ name }) => loggedTable(name.name)),
    ),
  }
}

async function marked(session: CopySession, parent: string): Promise<readonly KnownTable[]> {
  const rows = await session.ask(markedTablesSql(parent))
  return rows
    .map(([oid, schema, name]) => ({ oid: oid ?? '', name: { schema: schema ?? '', name: name ?? '' } }))
    .filter(({ name }) => isOwnName(name))
}

/**
 * Finds noting triggers and functions of partitions and former partitions.
 * @param logged OID of the table of each log; null for a marked table that is not a log
 */
async function notingOf(
  session: CopySession,
  parent: string,
  logged: readonly (string | null)[],
): Promise<readonly Noting[]> {
  const partitions = `SELECT inhrelid FROM pg_catalog.pg_inherits WHERE inhparent = ${literal(parent)}::oid`
  const numbers = logged.filter((one) => one !== null)
  const triggers = NOTING_TRIGGERS.map(literal).join(', ')
  const rows = await session.ask(
    `SELECT t.tgrelid::text, t.tgname, n.nspname, p.proname FROM pg_catalog.pg_trigger t JOIN pg_catalog.pg_proc p ON p.oid = t.tgfoid
       JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
     WHERE t.tgname IN (${triggers}) AND (t.tgrelid IN (${partitions}) OR pg_catalog.encode(t.tgargs, 'escape') = ${literal(String.raw`${parent}\000`)})
     UNION ALL SELECT pg_catalog.substr(p.proname::text, ${NOTE.length + 1}), NULL, n.nspname, p.proname FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
       WHERE p.proname LIKE ${literal(`${NOTE.replaceAll('_', String.raw`\_`)}%`)}::text AND p.prorettype = 'pg_catalog.trigger'::pg_catalog.regtype::oid AND p.pronargs = 0
         AND pg_catalog.substr(p.proname::text, ${NOTE.length + 1}) IN (SELECT inhrelid::text FROM (${partitions}) i UNION ALL SELECT pg_catalog.unnest(${literal(`{${numbers.join(',')}}`)}::text[]))
     ORDER BY 1`,
  )
  const found = new Map<string, { triggers: Set<string>; functions: Map<string, TableName> }>()
  for (const [on, trigger, schema, name] of rows) {
    const one = found.get(on ?? '') ?? { triggers: new Set(), functions: new Map() }
    found.set(on ?? '', one)
    if (trigger != null) one.triggers.add(trigger)
    // A user's trigger with the same name may call a function of the user.
    if (notedTable(name ?? '') !== null)
      one.functions.set(`${schema}.${name}`, { schema: schema ?? '', name: name ?? '' })
  }
  return [...found].map(([on, one]) => ({ on, triggers: [...one.triggers], functions: [...one.functions.values()] }))
}
