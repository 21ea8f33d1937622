/** Schemas that a partition stood in when it left, and that have another name by now, or are gone: what the partition has of its own still names them. */
import type { TableName } from '../../../model/copy/column-type.ts'
import { quoteName } from '../server/connect.ts'
import type { CopySession } from '../server/session.ts'
import { literal } from '../server/sql.ts'
import { moveTable } from './move.ts'
import type { Ended } from './steps.ts'

/**
 * Such schemas stand again while the body runs, and nobody outside of its transaction sees them. What it makes there goes into the schema of the table.
 * @param noted names that the body gives to tables
 * @param parent the partitioned table
 * @throws SluiceError TABLE_REFUSED where a name is taken in that schema
 */
export async function inNotedSchemas(
  session: CopySession,
  noted: readonly TableName[],
  parent: TableName,
  body: () => Promise<Ended>,
): Promise<Ended> {
  const schemas = await missingOf(session, new Set(noted.map(({ schema = 'public' }) => schema)))
  for (const schema of schemas) {
    const name = quoteName(schema)
    // An owner that is not the login may make no table its own in a schema without this right.
    await session.ask(`CREATE SCHEMA ${name}; GRANT USAGE, CREATE ON SCHEMA ${name} TO PUBLIC`)
  }
  const end = await body()
  if (end === 'done') for (const schema of schemas) await moveOut(session, schema, parent.schema ?? 'public')
  return end
}

async function missingOf(session: CopySession, schemas: ReadonlySet<string>): Promise<readonly string[]> {
  const rows = await session.ask(
    `SELECT nspname FROM pg_catalog.pg_namespace WHERE nspname IN (${[...schemas].map(literal).join(', ')})`,
  )
  const there = new Set(rows.map(([name]) => name))
  return [...schemas].filter((schema) => !there.has(schema))
}

async function moveOut(session: CopySession, schema: string, to: string): Promise<void> {
  const within = `(SELECT oid FROM pg_catalog.pg_namespace WHERE nspname = ${literal(schema)})`
  const tables = await session.ask(
    `SELECT oid, relname FROM pg_catalog.pg_class WHERE relnamespace = ${within} AND relkind IN ('r', 'p') ORDER BY oid`,
  )
  for (const [oid = null, name = null] of tables) {
    await moveTable(session, { oid: oid ?? '', name: { schema, name: name ?? '' } }, { schema: to, name: name ?? '' })
  }
  const statistics = await session.ask(
    `SELECT stxname FROM pg_catalog.pg_statistic_ext WHERE stxnamespace = ${within} ORDER BY oid`,
  )
  for (const [name] of statistics) {
    await session.ask(`ALTER STATISTICS ${quoteName(schema)}.${quoteName(name ?? '')} SET SCHEMA ${quoteName(to)}`)
  }
  await session.ask(`DROP SCHEMA ${quoteName(schema)}`)
}
