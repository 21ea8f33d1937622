/** Reads archive files completely: canonical checksum, key range, and checksum of their bytes. */
import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { basename } from 'node:path'
import type { InspectedFile } from '../../../model/archive/archived-file.ts'
import type { ReadFiles } from '../../../model/archive/parquet-port.ts'
import type { StoredColumn } from '../../../model/archive/stored-column.ts'
import { RowChecksum, checksumText } from '../../../model/copy/row-hash.ts'
import type { Digest } from '../../../model/copy/rows.ts'
import { throwIfAborted } from '../../../shared/abort.ts'
import { SluiceError } from '../../../shared/errors.ts'
import { checkSchema, parquetFromSql } from './parquet-file.ts'
import { readColumn } from './columns.ts'
import type { Desk } from './desk.ts'
import { readError } from './errors.ts'
import { asked } from './ask.ts'
import { hashOfRow, hasLongRows, longRows } from './long-values.ts'
import { archivedRows } from './read-rows.ts'
import { isRespelled } from './respelled.ts'
import { provedText, checksumSql } from './checksum-sql.ts'
import { extentsOf, statsOf, statsSql } from './stats.ts'

/** Maximum number of rows in memory when this program computes the checksum. */
const ROWS = 1000

/** @throws SluiceError PROOF_FAILED, SOURCE_IO, the signal's reason */
export async function checkArchivedFile(
  desk: Desk,
  file: string,
  { columns, all, signal }: ReadFiles,
): Promise<InspectedFile> {
  const bytes = hashOf(file, signal)
  // Prevents an unhandled rejection if DuckDB fails first.
  bytes.catch(() => undefined)
  try {
    const named = await desk.named(file)
    const from = parquetFromSql(named)
    await checkSchema(desk, from, file, all ?? columns, signal)
    const shown = columns.map(readColumn).join(', ')
    const isLong = await hasLongRows(desk, named, all ?? columns, signal)
    const isOther = columns.some(isRespelled)
    const select = ['count(*)', isLong || isOther ? '0' : checksumSql(columns), ...statsSql(columns)].map(
      (one) => `CAST(${one} AS VARCHAR)`,
    )
    const [row] = await asked(desk, `SELECT ${select.join(', ')} FROM (SELECT ${shown} FROM ${from})`, signal)
    const { size, sha256 } = await bytes
    const [rows, sum, ...facts] = row ?? []
    if (rows == null || sum == null) throw new SluiceError('INTERNAL', 'DuckDB returned no checksum', { where: file })
    const found = BigInt(rows)
    return {
      name: basename(file),
      bytes: size,
      rows: found,
      sha256,
      digest: isOther
        ? await respelledDigest(desk, file, { columns, signal, ...(all && { all }) })
        : isLong
          ? await longDigest(desk, named, columns, signal)
          : { rows: found, sum: checksumText(BigInt(sum)) },
      stats: statsOf(columns, found, facts),
      extents: extentsOf(columns, facts),
    }
  } catch (error) {
    throw readError(error, file, signal)
  }
}

async function respelledDigest(desk: Desk, file: string, wanted: Omit<ReadFiles, 'files'>): Promise<Digest> {
  const sum = new RowChecksum()
  for await (const rows of archivedRows(desk, file, { ...wanted, files: [file] }, ROWS))
    for (const row of rows) sum.add(row)
  return sum.digest()
}

async function longDigest(
  desk: Desk,
  named: string,
  columns: readonly StoredColumn[],
  signal: AbortSignal,
): Promise<Digest> {
  const sum = new RowChecksum()
  for await (const cells of longRows(desk, named, { columns, signal }, provedText))
    sum.addHash(await hashOfRow(cells, columns))
  return sum.digest()
}

async function hashOf(file: string, signal: AbortSignal): Promise<{ readonly size: bigint; readonly sha256: string }> {
  const hash = createHash('sha256')
  let size = 0n
  for await (const chunk of createReadStream(file, { highWaterMark: 1 << 20 })) {
    throwIfAborted(signal)
    const bytes = chunk as Buffer
    hash.update(bytes)
    size += BigInt(bytes.byteLength)
  }
  return { size, sha256: hash.digest('hex') }
}
