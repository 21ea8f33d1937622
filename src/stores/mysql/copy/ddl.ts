/** Builds the CREATE TABLE statement of a copy. */
import { membersOf } from '../../../model/copy/members.ts'
import { tableText, type Column, type TableSpec } from '../../../model/copy/column-type.ts'
import { SluiceError } from '../../../shared/errors.ts'
import { tableEnd } from '../charset.ts'
import type { ServerFacts } from '../session.ts'
import { indexable, isType, KEY_BYTES } from './declare.ts'
import { refuseUnmakeable, sqlNameError, type NewTableLimits } from '../../common/new-table.ts'
import { isDictionaryName, quoted, mysqlTableSql } from './names.ts'
import { baseTypeName, isBytes, isText } from './types.ts'

/** Maximum number of columns of an InnoDB table, and of characters of a name. */
const MOST_COLUMNS = 1017
const MOST_NAME = 64

const LIMITS: NewTableLimits = {
  title: 'MySQL',
  columns: MOST_COLUMNS,
  nameError: (name) => {
    if (!isDictionaryName(name)) return 'names can have only characters up to U+FFFF'
    if (name.endsWith(' ')) return 'names cannot end with a blank'
    return name.length > MOST_NAME ? `names can have up to ${MOST_NAME} characters` : sqlNameError(name)
  },
}

/** @throws SluiceError TABLE_REFUSED for names and columns that MySQL cannot create, or cannot index in a key */
export function createMysqlTable(
  table: TableSpec,
  { binaryCollation, impliesTimes }: Pick<ServerFacts, 'binaryCollation' | 'impliesTimes'>,
): string {
  refuseUnmakeable(table, LIMITS)
  if (impliesTimes) refuseImplied(table)
  const room = keyColumnBytes(table)
  const lines = table.columns.map((column) => columnLine(column, table, room))
  if (table.key.length > 0) {
    const columns = table.key.map(quoted).join(', ')
    lines.push(table.primary ? `PRIMARY KEY (${columns})` : `UNIQUE KEY (${columns})`)
  }
  return `CREATE TABLE ${mysqlTableSql(table.table)} (\n  ${lines.join(',\n  ')}\n)${tableEnd(binaryCollation)}`
}

function refuseImplied({ table, columns }: TableSpec): void {
  const column = columns.find(({ native, nullable }) => baseTypeName(native) === 'timestamp' && !nullable)
  if (column === undefined) return
  throw new SluiceError('TABLE_REFUSED', `the server would give the column ${column.name} a default of its own`, {
    where: tableText(table),
    reason: 'explicit_defaults_for_timestamp is off, and the login may not change it',
    hint: 'set explicit_defaults_for_timestamp = 1 in the configuration of the server, then copy again',
  })
}

function columnLine(column: Column, table: TableSpec, room: number): string {
  const inKey = table.key.includes(column.name)
  const native = isType(column.native) ? (inKey ? indexable(column.native, room) : column.native) : null
  if (native === null) {
    throw new SluiceError('TABLE_REFUSED', `MySQL cannot create the column ${column.name} of type ${column.native}`, {
      where: tableText(table.table),
      ...(inKey ? { reason: 'values of this type cannot be a key' } : {}),
      hint: 'create the table by hand, with types of your choice, and copy again',
    })
  }
  const words = [quoted(column.name), plainMembers(native)]
  if (column.collation !== undefined && isCollated(native)) words.push(`COLLATE ${word(column.collation)}`)
  if (column.expression !== undefined) {
    const { sql, stored } = column.expression
    // MariaDB does not accept NULL after an expression.
    words.push(
      `GENERATED ALWAYS AS (${sql}) ${stored ? 'STORED' : 'VIRTUAL'}`,
      ...(column.nullable ? [] : ['NOT NULL']),
    )
    return words.join(' ')
  }
  words.push(column.nullable && !(table.primary && inKey) ? 'NULL' : 'NOT NULL')
  // AUTO_INCREMENT must be the first column of an index.
  if (column.identity === true && table.key[0] === column.name && column.type.kind === 'int') {
    words.push('AUTO_INCREMENT')
  }
  return words.join(' ')
}

/** Members of an enum as literals of our sessions, where a backslash is a plain character. */
export function plainMembers(native: string): string {
  const base = baseTypeName(native)
  if (base !== 'enum' && base !== 'set') return native
  const members = membersOf(native).map((member) => `'${member.replaceAll("'", "''")}'`)
  return `${base}(${members.join(',')})`
}

export function isCollated(native: string): boolean {
  const base = baseTypeName(native)
  return isText(base) || base === 'enum' || base === 'set'
}

/** Bytes of the key's index that each key column without a declared length may use. */
function keyColumnBytes(table: TableSpec): number {
  const columns = table.columns.filter(({ name }) => table.key.includes(name))
  const open = columns.filter(({ native }) => indexable(native, 4) !== native)
  const used = columns.filter((column) => !open.includes(column)).reduce((sum, { native }) => sum + bytesOf(native), 0)
  return Math.max(4, Math.floor((KEY_BYTES - used) / Math.max(1, open.length) / 4) * 4)
}

function bytesOf(native: string): number {
  const length = Number(/\((\d+)/.exec(native)?.[1] ?? 0)
  const base = baseTypeName(native)
  if (isText(base)) return length * 4 + 2
  return isBytes(base) ? length + 2 : 32
}

/** A collation name is a word; anything else is quoted, and refused by the server. */
function word(collation: string): string {
  return /^\w+$/.test(collation) ? collation : quoted(collation)
}
