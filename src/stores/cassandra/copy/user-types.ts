/** User-defined types of a keyspace, which must exist before a table with them can be created. */
import { cqlText, type CqlField, type CqlType } from './types.ts'
import { cassandraTableName } from './names.ts'
import type { UserType } from '../../../model/copy/column-type.ts'
import { quotedName } from '../../../shared/sql-text.ts'

/** All user-defined types within some types, each after the types that it uses. */
export function userTypesOf(types: readonly CqlType[]): readonly UserType[] {
  const found = new Map<string, UserType>()
  for (const type of types) collect(type, found)
  return [...found.values()]
}

function collect(type: CqlType, found: Map<string, UserType>): void {
  switch (type.kind) {
    case 'list':
    case 'set':
    case 'vector':
      collect(type.of, found)
      return
    case 'map':
      collect(type.key, found)
      collect(type.value, found)
      return
    case 'tuple':
      for (const part of type.parts) collect(part, found)
      return
    case 'udt': {
      const { name, fields } = type
      if (fields === null || found.has(name)) return
      for (const field of fields) collect(field.type, found)
      found.set(name, { name, fields: fields.map(declared) })
      return
    }
    case 'simple':
    case 'custom':
      return
  }
}

function declared({ name, type }: CqlField): UserType['fields'][number] {
  return { name, native: cqlText(type) }
}

/** CREATE TYPE in a keyspace. */
export function createType(keyspace: string, { name, fields }: UserType): string {
  const list = fields.map((field) => `${quotedName(field.name)} ${field.native}`).join(', ')
  return `CREATE TYPE IF NOT EXISTS ${cassandraTableName({ schema: keyspace, name })} (${list})`
}
