/** Column types of Cassandra for types of other systems. */
import type { ColumnType } from '../../../model/copy/column-type.ts'
import { columnTypeOf, isBefore, type SimpleName } from './cql-type.ts'

/**
 * The CQL type for a type of another system. Lists become text, because Cassandra's lists hold no nulls and no nested
 * lists. JSON and times without a zone become text too, because a `timestamp` is a point in time.
 * @param _inKey unused: keys take every type that is declared here
 * @param release of the server: before 2.2 there are no types smallint, tinyint, date and time
 */
export function declareCql(
  type: ColumnType,
  _inKey = false,
  release = '4.0',
): { readonly native: string; readonly type: ColumnType } {
  const native = nameFor(type, isBefore(release, 2, 2))
  return { native, type: columnTypeOf({ kind: 'simple', name: native }) }
}

function nameFor(type: ColumnType, old: boolean): SimpleName {
  switch (type.kind) {
    case 'bool':
      return 'boolean'
    case 'int':
      return forBits(type.unsigned === true ? type.bits + 1 : type.bits, old)
    case 'decimal':
      return type.scale === 0 ? 'varint' : 'decimal'
    case 'float':
      return type.bits === 32 ? 'float' : 'double'
    case 'bytes':
      return 'blob'
    case 'uuid':
      return 'uuid'
    case 'date':
    case 'time':
      return old ? 'text' : type.kind
    case 'timestamp':
      return type.zone ? 'timestamp' : 'text'
    case 'native':
    case 'text':
    case 'json':
    case 'list':
      return 'text'
  }
}

function forBits(bits: number, old: boolean): SimpleName {
  if (bits <= 8 && !old) return 'tinyint'
  if (bits <= 16 && !old) return 'smallint'
  if (bits <= 32) return 'int'
  return bits <= 64 ? 'bigint' : 'varint'
}
