/** CQL types as text, as in a column's declaration, and back. */
import { SluiceError } from '../../../shared/errors.ts'
import { quotedName } from '../../../shared/sql-text.ts'
import type { CqlField, CqlType, SimpleName } from './cql-type.ts'

/**
 * The type in one spelling for every server. Names of user-defined types are quoted, and have no keyspace. Tuples have
 * `frozen`, too, but not within a frozen type, where old servers do not accept it.
 */
export function cqlText(type: CqlType): string {
  return textOf(type, 'column')
}

function textOf(type: CqlType, place: 'column' | 'collection' | 'record'): string {
  switch (type.kind) {
    case 'simple':
      return type.name
    case 'list':
    case 'set':
      return frozen(type.frozen && place !== 'record', `${type.kind}<${textOf(type.of, 'collection')}>`)
    case 'map':
      return frozen(
        type.frozen && place !== 'record',
        `map<${textOf(type.key, 'collection')}, ${textOf(type.value, 'collection')}>`,
      )
    case 'tuple':
      return `frozen<tuple<${type.parts.map((part) => textOf(part, 'record')).join(', ')}>>`
    case 'udt':
      return frozen(type.frozen, quotedName(type.name))
    case 'vector':
      return `vector<${textOf(type.of, 'record')}, ${type.size}>`
    case 'custom':
      return `'${type.name.replaceAll("'", "''")}'`
  }
}

function frozen(is: boolean, text: string): string {
  return is ? `frozen<${text}>` : text
}

const TOKEN = /\s*("(?:[^"]|"")*"|'(?:[^']|'')*'|[A-Za-z0-9_]+|[<>,.])/y

const SIMPLE: ReadonlySet<string> = new Set<SimpleName>([
  'ascii',
  'bigint',
  'blob',
  'boolean',
  'counter',
  'date',
  'decimal',
  'double',
  'duration',
  'float',
  'inet',
  'int',
  'smallint',
  'text',
  'time',
  'timestamp',
  'timeuuid',
  'tinyint',
  'uuid',
  'varint',
])

/**
 * @param fieldsOf fields of a user-defined type by its name; without it, values of such a type can be neither read nor
 * written
 * @throws SluiceError UNSUPPORTED_TYPE if it is not a CQL type
 */
export function parseCql(native: string, fieldsOf?: (name: string) => readonly CqlField[] | null): CqlType {
  const tokens: string[] = []
  TOKEN.lastIndex = 0
  for (let at = 0; at < native.trimEnd().length; at = TOKEN.lastIndex) {
    const found = TOKEN.exec(native)
    if (found === null) throw wrong(native)
    tokens.push(found[1] ?? '')
  }
  let next = 0
  const take = (wanted?: string): string => {
    const token = tokens[next++]
    if (token === undefined || (wanted !== undefined && token !== wanted)) throw wrong(native)
    return token
  }
  const inner = <T>(read: () => T): T => {
    take('<')
    const result = read()
    take('>')
    return result
  }
  const type = (isFrozen: boolean): CqlType => {
    const token = take()
    if (token.startsWith("'")) return { kind: 'custom', name: token.slice(1, -1).replaceAll("''", "'") }
    const word = token.toLowerCase()
    if (tokens[next] === '<') {
      switch (word) {
        case 'frozen':
          return inner(() => type(true))
        case 'list':
        case 'set':
          return { kind: word, of: inner(() => type(true)), frozen: isFrozen }
        case 'map':
          return inner(() => {
            const key = type(true)
            take(',')
            return { kind: 'map', key, value: type(true), frozen: isFrozen }
          })
        case 'tuple':
          return inner(() => {
            const parts = [type(true)]
            while (tokens[next] === ',') {
              next++
              parts.push(type(true))
            }
            return { kind: 'tuple', parts }
          })
        case 'vector':
          return inner(() => {
            const of = type(true)
            take(',')
            return { kind: 'vector', of, size: Number(take()) }
          })
        default:
          throw wrong(native)
      }
    }
    if (word === 'varchar') return { kind: 'simple', name: 'text' }
    if (SIMPLE.has(word)) return { kind: 'simple', name: word as SimpleName }
    // Skip the keyspace of a type: it is always the keyspace of its table.
    let name = token
    if (tokens[next] === '.') {
      next++
      name = take()
    }
    const plain = name.startsWith('"') ? name.slice(1, -1).replaceAll('""', '"') : name.toLowerCase()
    return { kind: 'udt', name: plain, fields: fieldsOf?.(plain) ?? null, frozen: isFrozen }
  }
  const result = type(false)
  if (next !== tokens.length) throw wrong(native)
  return result
}

function wrong(native: string): SluiceError {
  return new SluiceError('UNSUPPORTED_TYPE', `this is not a type of Cassandra: ${native.slice(0, 100)}`)
}
