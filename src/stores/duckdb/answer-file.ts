/** Query results as Parquet: rows are passed as CSV through a pipe, so that at most one row group is in memory. */
import { realpath, rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { AnswerColumn, AnswerType, WriteAnswer } from '../../model/run/answer-file.ts'
import { throwIfAborted } from '../../shared/abort.ts'
import { SluiceError } from '../../shared/errors.ts'
import { makeSpool } from '../../shared/spool.ts'
import { sqlLiteral, quotedName } from '../../shared/sql-text.ts'
import { readCsv } from './archive-query/read-csv.ts'
import { NO_DICTIONARY } from './archive/copy-files.ts'
import { fed } from './archive/feed.ts'
import { wireName } from './archive/wire-cast.ts'
import { duckdbError } from './errors.ts'
import { openDuckDb } from './instance.ts'

const THREADS = 1
const MEMORY = '512MB'

const CASTS: Readonly<Record<Exclude<AnswerType, `decimal(${number},${number})`>, (text: string) => string>> = {
  text: (text) => text,
  bytes: (text) => `unhex(${text})`,
  real: (text) => `CAST(${text} AS DOUBLE)`,
  integer: (text) => `CAST(${text} AS BIGINT)`,
  'large-integer': (text) => `CAST(${text} AS DECIMAL(38, 0))`,
  boolean: (text) => `CAST(${text} AS BOOLEAN)`,
  int16: (text) => `CAST(${text} AS SMALLINT)`,
  int32: (text) => `CAST(${text} AS INTEGER)`,
  int64: (text) => `CAST(${text} AS BIGINT)`,
  float: (text) => `CAST(${text} AS FLOAT)`,
  double: (text) => `CAST(${text} AS DOUBLE)`,
  date: (text) => `CAST(${text} AS DATE)`,
  time: (text) => `CAST(${text} AS TIME)`,
  timestamp: (text) => `CAST(${text} AS TIMESTAMP)`,
  datetime: (text) => `CAST(rtrim(${text}, 'Z') AS TIMESTAMP)`,
  timestamptz: (text) => `CAST(${text} AS TIMESTAMPTZ)`,
  uuid: (text) => `CAST(${text} AS UUID)`,
}

function castOf(type: AnswerType, text: string): string {
  // The caller that chose the type has checked that no value has more digits.
  if (type.startsWith('decimal(')) return `CAST(${text} AS ${type.toUpperCase()})`
  return CASTS[type as keyof typeof CASTS](text)
}

export const writeDuckdbAnswer: WriteAnswer = async ({ path, columns, csv, signal }) => {
  const folder = await realpath(await makeSpool())
  try {
    using db = await openDuckDb({ threads: THREADS, memoryLimit: MEMORY, tempDirectory: join(folder, 'spill') })
    const { connection } = db
    // One extra column: without it, a row whose only value is NULL would be an empty line.
    const width = columns.length + 1
    const select = columns.map(selected).join(', ')
    await fed({ connection, folder, commas: width - 1, signal }, csv, async (file) => {
      const form = ['FORMAT parquet', 'COMPRESSION zstd', ...(columns.some(isFloat) ? [NO_DICTIONARY] : [])].join(', ')
      await connection.run(`COPY (SELECT ${select} FROM ${readCsv(file, width)}) TO ${sqlLiteral(path)} (${form})`)
    })
    const counted = await connection.run(`SELECT num_rows FROM parquet_file_metadata(${sqlLiteral(path)})`)
    return Number((await counted.getRows())[0]?.[0])
  } catch (error) {
    throwIfAborted(signal)
    if (error instanceof SluiceError) throw error
    const known = duckdbError(error, path)
    throw known instanceof SluiceError
      ? known
      : new SluiceError('TARGET_IO', `the file cannot be written: ${(error as Error).message}`, {
          where: path,
          cause: error,
        })
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

function isFloat({ type }: AnswerColumn): boolean {
  return type === 'real' || type === 'float' || type === 'double'
}

function selected({ name, type }: AnswerColumn, at: number): string {
  return `${castOf(type, `wire.${wireName(at)}`)} AS ${quotedName(name)}`
}
