/** Describes comparisons that a statement makes differently from the table's database. */
import { isEnum, membersOf, zeroText } from '../../model/copy/members.ts'
import type { ArchivedPartition, ArchiveRecord } from '../ledger/record.ts'
import { canShowAs, isComputedOtherwise, otherMeaning, renamedMember } from '../types/index.ts'
import type { QueryColumn, QueryNeeds } from '../../model/archive/query-port.ts'

/**
 * Texts about numbers that DuckDB compares differently from the source. Databases compare a 4-byte column and a number
 * with a decimal point as 8-byte numbers, DuckDB as 4-byte numbers. MySQL and MariaDB read a number of two digits as a
 * year.
 * @returns one sentence for each column that the statement reads, if the statement compares numbers of that type
 */
export function otherNumbers(
  columns: readonly QueryColumn[],
  { columns: read, numbers = new Set() }: QueryNeeds,
): readonly string[] {
  return columns.flatMap(({ name, stored, column: { native } }) => {
    if (!read.has(name)) return []
    if (stored === 'float' && numbers.has('FLOAT'))
      return [
        `${name} (${native}) is compared as 4-byte numbers, where the database may read 0.1 as an 8-byte number: CAST(${name} AS DOUBLE) compares as the database does`,
      ]
    const isYear = /^year\b/i.test(native) && (numbers.has('SMALLINT') || numbers.has('INTEGER'))
    return isYear
      ? [`${name} (${native}) is compared with all digits of the year, where the database reads 20 as 2020`]
      : []
  })
}

/** Columns that the statement reads and may compare, whose values are texts in the archive but not in the database. */
export function comparedTexts(
  columns: readonly QueryColumn[],
  { columns: read, texts }: QueryNeeds,
): readonly string[] {
  // For a UUID or a time as text, the archive has one spelling; a literal may spell the same value differently.
  const isText = ({ stored, as: { kind } }: QueryColumn): boolean => stored !== 'string' || kind === 'text'
  return columns
    .filter((column) => texts !== 'none' && read.has(column.name) && !isText(column))
    .map(({ name, column }) => `${name} (${column.native}${errorText(column.native)})`)
}

/** Note on the error value of an enum that also has `''` as a member: the server prints both alike. */
function errorText(native: string): string {
  const text = isEnum(native) ? zeroText(membersOf(native)) : ''
  return text === '' ? '' : `, whose error value is '${text}' here`
}

/** The columns of the statement, each with its columns in the files of the partitions. */
function recordedColumns(
  columns: readonly QueryColumn[],
  { columns: asked }: QueryNeeds,
  read: readonly ArchivedPartition[],
) {
  return columns
    .filter(({ name }) => asked.has(name))
    .map((column) => ({
      column,
      recorded: read.flatMap(({ label, columns: files }) => {
        const file = files.find(({ physical }) => physical === column.physical)
        return file === undefined ? [] : [{ label, file }]
      }),
    }))
}

/** Columns of enums or composites in which a text in older files means a different value now, or has another name. */
export function otherMeanings(
  columns: readonly QueryColumn[],
  needs: QueryNeeds,
  read: readonly ArchivedPartition[],
): readonly string[] {
  return recordedColumns(columns, needs, read).flatMap(({ column, recorded }) =>
    recorded.flatMap(({ label, file }) => {
      const other = otherMeaning(file, column) ?? renamedMember(file, column)
      return other === null ? [] : [`${column.name} of ${label} (${other})`]
    }),
  )
}

/**
 * One sentence for each generated column whose expression has changed since older files were written.
 */
export function otherExpressions(
  columns: readonly QueryColumn[],
  needs: QueryNeeds,
  read: readonly ArchivedPartition[],
): readonly string[] {
  return recordedColumns(columns, needs, read).flatMap(({ column, recorded }) => {
    const earlier = recorded.filter(({ file }) => isComputedOtherwise(file, column))
    return [...new Set(earlier.map(({ file }) => file.computed?.sql))].map((sql) => {
      const labels = earlier.flatMap(({ label, file }) => (file.computed?.sql === sql ? [label] : [])).join(', ')
      return `${column.name} of ${labels} was computed as ${sql}, and the database computes ${column.computed?.sql} now: archived rows keep their values`
    })
  })
}

/** Text columns that a statement may compare by bytes, though the source has a collation or ignores trailing blanks. */
export function collatedOf(columns: readonly QueryColumn[], { columns: read, texts }: QueryNeeds): readonly string[] {
  if (texts === 'none') return []
  return columns.flatMap(({ name, as, column: { native, collation, sortsOnly } }) => {
    if (as.kind !== 'text' || !read.has(name)) return []
    if (collation !== undefined && (texts === 'order' || sortsOnly !== true))
      return [`${name} (${native}, collation ${collation})`]
    return as.padded === true ? [`${name} (${native}, padded)`] : []
  })
}

/** Columns that older files have under another name, because their values do not fit the present type. */
export function otherTypes(
  record: ArchiveRecord | null,
  read: readonly ArchivedPartition[],
  asked: ReadonlySet<string>,
): readonly string[] {
  const { columns = [], kept = [] } = record?.stored ?? {}
  return kept.flatMap((earlier) => {
    const now = columns.find(({ was }) => was?.includes(earlier.physical) === true)
    if (now === undefined || !asked.has(now.name) || asked.has(earlier.name) || canShowAs(earlier, now)) return []
    const labels = read.filter((one) => one.columns.some(({ physical }) => physical === earlier.physical))
    if (labels.length === 0) return []
    const where = labels.map(({ label }) => label).join(', ')
    return [`values of ${now.name} in ${where}, which are ${earlier.column.native} and called ${earlier.name}`]
  })
}
