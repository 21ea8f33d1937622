/** The publication of a stream: the tables that the server sends, and which of their changes and columns. */
import { tableText, type TableName } from '../../../../model/copy/column-type.ts'
import { quoteName } from '../../server/connect.ts'
import { treeSql } from '../../server/relation.ts'
import type { CopySession } from '../../server/session.ts'
import { literal, tableSql } from '../../server/sql.ts'

const ACTIONS = 'insert, update, delete, truncate'

export type PublicationRequest = {
  readonly name: string
  readonly tables: readonly TableName[]
  /** True: publishes stored generated columns, too; PostgreSQL 18 and newer. */
  readonly generated: boolean
}

/** Definition of a publication, as texts that can be compared: of the publication, and of each table by its OID. */
export type FoundPublication = {
  readonly facts: Readonly<Record<string, string>>
  readonly tables: ReadonlyMap<string, string>
}

/**
 * Creates a publication that names its tables: FOR ALL TABLES would include ledgers. It has no column list: with one,
 * the server would refuse every UPDATE once the replica identity is changed to columns outside of the list.
 */
export async function createPublication(
  session: CopySession,
  { name, tables, generated }: PublicationRequest,
): Promise<void> {
  const list = tables.map((table) => `ONLY ${tableSql(table)}`).join(', ')
  await session.ask(
    `CREATE PUBLICATION ${quoteName(name)} FOR TABLE ${list}
     WITH (publish = ${literal(ACTIONS)}, publish_via_partition_root = true${generated ? ', publish_generated_columns = stored' : ''})`,
  )
}

/**
 * First server version that can publish generated columns. It refuses changes of a table whose replica identity
 * contains a generated column that is not published.
 */
const GENERATED = 180_000

/**
 * True if a table has stored generated columns and replica identity FULL: the server then refuses its changes unless
 * these columns are published.
 */
export async function needsGenerated(session: CopySession, tables: readonly TableName[]): Promise<boolean> {
  if (session.version < GENERATED) return false
  const list = tables.map((table) => `pg_catalog.to_regclass(${literal(tableSql(table))})::oid`).join(', ')
  const rows = await session.ask(
    `SELECT FROM pg_catalog.pg_class c JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid
     WHERE c.oid IN (${list}) AND c.relreplident = 'f' AND a.attgenerated = 's' AND NOT a.attisdropped LIMIT 1`,
  )
  return rows.length > 0
}

/**
 * Publishes a table, again if it is published already. Call it in a transaction: it locks the table against writers.
 * Otherwise the server might leave out later changes of an open transaction that has already changed the table.
 */
export async function publishTableAgain(
  session: CopySession,
  name: string,
  table: TableName,
  isMember: boolean,
): Promise<void> {
  const [publication, member] = [quoteName(name), tableSql(table)]
  await session.ask(`LOCK TABLE ONLY ${member} IN SHARE ROW EXCLUSIVE MODE`)
  if (isMember) await session.ask(`ALTER PUBLICATION ${publication} DROP TABLE ONLY ${member}`)
  await session.ask(`ALTER PUBLICATION ${publication} ADD TABLE ONLY ${member}`)
}

/** Publications of streams that report changes of the table, of a partition of it, or of a table above it. */
export async function tablePublications(session: CopySession, table: TableName): Promise<readonly string[]> {
  const oid = `pg_catalog.to_regclass(${literal(tableSql(table))})::oid`
  const rows = await session.ask(
    `SELECT DISTINCT p.pubname FROM pg_catalog.pg_publication p JOIN pg_catalog.pg_publication_rel r ON r.prpubid = p.oid
     WHERE p.pubname ~ '^sluice_'::text AND r.prrelid IN (${treeSql(oid)} UNION ALL SELECT relid::oid FROM pg_catalog.pg_partition_ancestors(${oid}))
     ORDER BY 1`,
  )
  return rows.flatMap(([name]) => name ?? [])
}

export async function dropPublication(session: CopySession, name: string): Promise<void> {
  await session.ask(`DROP PUBLICATION IF EXISTS ${quoteName(name)}`)
}

/**
 * Facts of a publication. They include its OID, the id of the transaction that wrote it, and the OID of each table's
 * entry. These OIDs reveal a table that was removed and added again.
 * @returns null if the publication does not exist
 */
export async function findPublication(session: CopySession, name: string): Promise<FoundPublication | null> {
  const [row] = await session.ask(
    `SELECT p.oid, p.xmin, pg_catalog.concat_ws(', ', CASE WHEN p.pubinsert THEN 'insert' END, CASE WHEN p.pubupdate THEN 'update' END,
         CASE WHEN p.pubdelete THEN 'delete' END, CASE WHEN p.pubtruncate THEN 'truncate' END),
       p.pubviaroot, coalesce(pg_catalog.to_jsonb(p) ->> 'pubgencols'::text, '')
     FROM pg_catalog.pg_publication p WHERE p.pubname = ${literal(name)}`,
  )
  if (row === undefined) return null
  const [oid, changed, actions, root, generated] = row.map((text) => text ?? '')
  // Row filters and column lists exist from version 15 on.
  const tables = await session.ask(
    `SELECT r.prrelid, r.oid, pg_catalog.md5(pg_catalog.to_jsonb(r) ->> 'prqual'::text), pg_catalog.to_jsonb(r) ->> 'prattrs'::text
     FROM pg_catalog.pg_publication_rel r WHERE r.prpubid = ${literal(oid ?? '')}::oid`,
  )
  return {
    facts: {
      'publication.oid': oid ?? '',
      'publication.changed': changed ?? '',
      'publication.sends': [actions, root === 't' ? 'via root' : 'by partition', generated].join('; '),
    },
    tables: new Map(
      tables.map(([table, member, filter = null, columns = null]) => [
        table ?? '',
        JSON.stringify({ member, filter, columns }),
      ]),
    ),
  }
}

/** True if a publication sends all rows and columns of a table. @param member a value of `FoundPublication.tables` */
export function sendsWholeTable(member: string): boolean {
  const { filter, columns } = JSON.parse(member) as { readonly filter: unknown; readonly columns: unknown }
  return filter === null && columns === null
}

/** Name under which the facts of a stream hold the publication's entry of a table. */
export function memberFact(table: TableName): string {
  return `publication of ${tableText(table)}`
}
