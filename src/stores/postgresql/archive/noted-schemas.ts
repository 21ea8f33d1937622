/** Recorded schemas of a partition that were renamed or dropped: its tables are restored into the parent's schema. */
import type { TableName } from '../../../model/copy/column-type.ts'
import type { CopySession } from '../server/session.ts'
import { literal } from '../server/sql.ts'

/** @returns the schemas that do not exist in this database */
export async function missingSchemas(session: CopySession, schemas: Iterable<string>): Promise<ReadonlySet<string>> {
  const rows = await session.ask(
    `SELECT noted FROM pg_catalog.unnest(ARRAY[${[...schemas].map(literal).join(', ')}]::text[]) AS noted
     WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_namespace WHERE nspname::text = noted)`,
  )
  return new Set(rows.map(([name]) => name ?? ''))
}

/** @returns the name for a partition: the recorded one, in the parent's schema if the recorded schema is missing */
export async function schemaNow(session: CopySession, noted: TableName, parent: TableName): Promise<TableName> {
  const { schema = 'public', name } = noted
  const isMissing = (await missingSchemas(session, [schema])).has(schema)
  return isMissing ? { schema: parent.schema ?? 'public', name } : noted
}

const IDENTIFIER = String.raw`"(?:[^"]|"")*"|[\p{L}_][\p{L}\p{N}_$]*`
/**
 * Matches schema and table of a qualified name, not a column after them. Skips string literals and unqualified names.
 */
const QUALIFIED = new RegExp(
  String.raw`'(?:[^']|'')*'|(?<![\p{L}\p{N}_$.])(${IDENTIFIER})\.(${IDENTIFIER})|"(?:[^"]|"")*"`,
  'gu',
)

/** Qualified names in a statement that the server printed. */
export function qualifiedNames(sql: string): readonly Required<TableName>[] {
  return [...sql.matchAll(QUALIFIED)].flatMap(([, schema, name]) =>
    schema === undefined || name === undefined ? [] : [{ schema: unquoted(schema), name: unquoted(name) }],
  )
}

/** @param change returns another name for a qualified one; null keeps it */
export function withChangedNames(sql: string, change: (name: Required<TableName>) => string | null): string {
  return sql.replaceAll(QUALIFIED, (all: string, schema?: string, name?: string) =>
    schema === undefined || name === undefined
      ? all
      : (change({ schema: unquoted(schema), name: unquoted(name) }) ?? all),
  )
}

const unquoted = (name: string): string => (name.startsWith('"') ? name.slice(1, -1).replaceAll('""', '"') : name)
