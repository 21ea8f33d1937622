/** Digest of the rows of a range, over any number of files. */
import type { ReadFiles } from '../../../model/archive/parquet-port.ts'
import type { StoredColumn } from '../../../model/archive/stored-column.ts'
import { normalizer } from '../../../model/copy/canonical.ts'
import type { Column, TableSpec } from '../../../model/copy/column-type.ts'
import type { Range } from '../../../model/copy/range.ts'
import { checksumText } from '../../../model/copy/row-hash.ts'
import type { Digest } from '../../../model/copy/rows.ts'
import { SluiceError } from '../../../shared/errors.ts'
import { quotedName } from '../../../shared/sql-text.ts'
import { rangeCondition, type KeyDialect } from '../../common/key-ranges.ts'
import { duckText } from '../copy/spell.ts'
import { duckColumn, readColumn } from './columns.ts'
import type { Desk } from './desk.ts'
import { checksumOfFile } from './checksum-sql.ts'

export type ArchivedKeyRange = ReadFiles & { readonly key: readonly string[]; readonly range: Range }

/**
 * @throws SluiceError UNSUPPORTED_KEY for keys that sort differently in their source; PROOF_FAILED, SOURCE_IO, the
 * signal's reason
 */
export async function archivedDigest(desk: Desk, request: ArchivedKeyRange): Promise<Digest> {
  const { columns, files, key, range } = request
  const { sql, parameters } = conditionOf(columns, key, range)
  const shown = columns.map(readColumn).join(', ')
  const rowsOf = (from: string): string => `(SELECT ${shown} FROM ${from}) WHERE ${sql}`
  let rows = 0n
  let sum = 0n
  for (const file of files) {
    const found = await checksumOfFile(desk, file, request, rowsOf, parameters)
    rows += found.rows
    sum += found.sum
  }
  return { rows, sum: checksumText(sum) }
}

function conditionOf(columns: readonly StoredColumn[], key: readonly string[], range: Range) {
  const keyColumns = key.map((name) => {
    const column = columns.find((one) => one.name === name)
    if (column === undefined) throw new SluiceError('INTERNAL', `the key has the column ${name}, which no file has`)
    if (range.by !== 'all' && range.by !== 'nullKey') checkOrder(column)
    return column
  })
  if (range.by === 'block') throw new SluiceError('UNSUPPORTED_KEY', 'an archive cannot be compared by table blocks')
  if (range.by !== 'all' && key.length === 0)
    throw new SluiceError('UNSUPPORTED_KEY', 'ranges of a table without a key cannot be compared')
  const texts = new Map(keyColumns.map((column) => [column.physical, column]))
  const dialect: KeyDialect = {
    quote: quotedName,
    from: () => '',
    byColumns: true,
    text: ({ name }) => quotedName(name),
    bound: ({ native }) => `CAST(? AS ${native})`,
    value: ({ name }: Column, text) => {
      const as = texts.get(name)?.as ?? { kind: 'text' as const }
      return duckText(as, String(normalizer(as)(text)))
    },
  }
  const spec: TableSpec = {
    table: { name: 'archive' },
    identity: '',
    columns: keyColumns.map(duckColumn),
    key: keyColumns.map(({ physical }) => physical),
    primary: true,
    rows: 0n,
    bytes: 0n,
  }
  return rangeCondition(spec, range, null, dialect)
}

/** Refuses keys that sort differently in their source: texts of a Parquet file are compared byte by byte. */
function checkOrder({ name, as, column }: StoredColumn): void {
  switch (as.kind) {
    case 'int':
    case 'decimal':
    case 'date':
    case 'timestamp':
    case 'uuid':
      return
    case 'text':
      if (column.collation === undefined && as.padded !== true) return
      break
    default:
  }
  throw new SluiceError(
    'UNSUPPORTED_KEY',
    `ranges of ${name} cannot be compared: the source does not sort its values by bytes, as the archive does`,
    {
      where: name,
      reason: `its type is ${column.native}${column.collation === undefined ? '' : `, and its collation ${column.collation}`}`,
    },
  )
}
