/** Schemas that a partition stood in when it left, and that have another name by now, or are gone: its tables come back beside the table above them. */
import type { TableName } from '../../../model/copy/column-type.ts'
import type { CopySession } from '../server/session.ts'
import { literal } from '../server/sql.ts'

/** @returns those that this database does not have */
export async function missingSchemas(session: CopySession, schemas: Iterable<string>): Promise<ReadonlySet<string>> {
  const rows = await session.ask(
    `SELECT noted FROM pg_catalog.unnest(ARRAY[${[...schemas].map(literal).join(', ')}]::text[]) AS noted
     WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_namespace WHERE nspname::text = noted)`,
  )
  return new Set(rows.map(([name]) => name ?? ''))
}

/** @returns the name that a partition gets: the noted one, in the schema of its parent where the noted schema is not there */
export async function placeNow(session: CopySession, noted: TableName, parent: TableName): Promise<TableName> {
  const { schema = 'public', name } = noted
  const isMissing = (await missingSchemas(session, [schema])).has(schema)
  return isMissing ? { schema: parent.schema ?? 'public', name } : noted
}

const IDENTIFIER = String.raw`"(?:[^"]|"")*"|[\p{L}_][\p{L}\p{N}_$]*`
/** Texts and names of one part are passed over. A column behind the second part stays. */
const QUALIFIED = new RegExp(
  String.raw`'(?:[^']|'')*'|(?<![\p{L}\p{N}_$.])(${IDENTIFIER})\.(${IDENTIFIER})|"(?:[^"]|"")*"`,
  'gu',
)

/** Names with a schema in a statement that the server printed. */
export function qualifiedNames(sql: string): readonly Required<TableName>[] {
  return [...sql.matchAll(QUALIFIED)].flatMap(([, schema, name]) =>
    schema === undefined || name === undefined ? [] : [{ schema: unquoted(schema), name: unquoted(name) }],
  )
}

/** @param change another name in place of one with a schema; null leaves it */
export function withNames(sql: string, change: (name: Required<TableName>) => string | null): string {
  return sql.replaceAll(QUALIFIED, (all: string, schema?: string, name?: string) =>
    schema === undefined || name === undefined
      ? all
      : (change({ schema: unquoted(schema), name: unquoted(name) }) ?? all),
  )
}

const unquoted = (name: string): string => (name.startsWith('"') ? name.slice(1, -1).replaceAll('""', '"') : name)
