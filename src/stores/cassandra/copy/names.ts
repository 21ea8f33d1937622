/** Names in CQL text. */
import type { TableName } from '../../../model/copy/column-type.ts'
import { quotedName } from '../../../shared/sql-text.ts'

/** Always quoted, for case and reserved words: `"keyspace"."table"`, or `"table"` in the current keyspace. */
export function cassandraTableName({ schema, name }: TableName): string {
  return schema === undefined ? quotedName(name) : `${quotedName(schema)}.${quotedName(name)}`
}

/** Converts a `map<text, text>` to an object; the driver returns it as a Map or as an object. */
export function plainMap(value: unknown): Readonly<Record<string, string>> {
  return (value instanceof Map ? Object.fromEntries(value) : (value ?? {})) as Readonly<Record<string, string>>
}

/** A text literal of CQL. */
export function textLiteral(text: string): string {
  return `'${text.replaceAll("'", "''")}'`
}
