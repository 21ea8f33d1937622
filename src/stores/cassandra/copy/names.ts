/** Names in CQL text. */
import type { TableName } from '../../../model/copy/column-type.ts'

/** Always in quotes: names keep their capitals, and none is a word of the language. */
export function quoteName(name: string): string {
  return `"${name.replaceAll('"', '""')}"`
}

/** `"keyspace"."table"`, or `"table"` of the keyspace that is in use. */
export function tableName({ schema, name }: TableName): string {
  return schema === undefined ? quoteName(name) : `${quoteName(schema)}.${quoteName(name)}`
}
