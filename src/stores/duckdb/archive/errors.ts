/** Maps DuckDB's errors about an archive's files to SluiceErrors. */
import { throwIfAborted } from '../../../shared/abort.ts'
import { SluiceError } from '../../../shared/errors.ts'
import { permissionDenied, spaceExhausted } from '../../../shared/guide-errors.ts'
import type { StoredColumn } from '../../../model/archive/stored-column.ts'
import { firstLine, isDuckdbDenied, isDiskFull, messageOf } from '../errors.ts'
import { valueRefusal } from './wire-cast.ts'

/** Maps errors of the machine: a full disk, too little memory, a missing right. Null for other errors. */
export function machineError(error: unknown, where: string, side: 'source' | 'target'): SluiceError | null {
  const message = messageOf(error)
  if (isDiskFull(error)) {
    return new SluiceError(...spaceExhausted({ where, cause: error }))
  }
  if (/^Out of Memory/i.test(message) || /failed to (?:allocate|offload)|could not allocate/i.test(message)) {
    return new SluiceError('NO_SPACE', 'DuckDB reached its memory limit', {
      where,
      reason: firstLine(error),
      hint: 'give DuckDB more memory with --memory',
      kind: side,
      cause: error,
    })
  }
  if (isDuckdbDenied(error)) {
    const code = side === 'source' ? 'SOURCE_DENIED' : 'TARGET_DENIED'
    return new SluiceError(...permissionDenied(code, { where, cause: error }))
  }
  return null
}

/** Maps an error of writing rows to files. @throws the signal's reason */
export function parquetWriteError(
  error: unknown,
  folder: string,
  columns: readonly StoredColumn[],
  signal: AbortSignal,
): unknown {
  throwIfAborted(signal)
  if (error instanceof SluiceError || (error instanceof Error && 'code' in error)) return error
  const known = machineError(error, folder, 'target')
  if (known !== null) return known
  const message = messageOf(error)
  const refused = valueRefusal(message, columns)
  if (refused !== null) return refused
  if (/CSV Error|Invalid unicode|unhex/i.test(message)) {
    const line = /CSV Error on Line: (\d+)/.exec(message)?.[1]
    return new SluiceError('SOURCE_IO', 'the rows of the source are cut off or not in the expected form', {
      where: folder,
      reason: csvReason(message, line),
      hint: 'run the same command again; report the error if it occurs again',
      cause: error,
    })
  }
  return new SluiceError('TARGET_IO', `the Parquet files cannot be written: ${firstLine(error)}`, {
    where: folder,
    cause: error,
  })
}

/** The reason in DuckDB's message, without the row that the message shows. */
function csvReason(message: string, line: string | undefined): string {
  const why =
    /Value with unterminated quote|Expected Number of Columns: \d+ Found: \d+|Invalid unicode|unhex/.exec(
      message,
    )?.[0] ?? 'DuckDB cannot read them'
  // The feed adds a first line, which is not one of the caller's.
  return line === undefined ? why : `${why}, in line ${Number(line) - 1}`
}

/** Maps an error of reading files. @throws the signal's reason */
export function readError(error: unknown, file: string, signal: AbortSignal): unknown {
  throwIfAborted(signal)
  if (error instanceof SluiceError) return error
  const code = error instanceof Error && 'code' in error ? error.code : undefined
  const message = messageOf(error)
  if (code === 'ENOENT' || /No files found|No such file or directory/i.test(message)) {
    return new SluiceError('PROOF_FAILED', 'a file of the archive is missing', { where: file, cause: error })
  }
  if (code !== undefined) {
    return new SluiceError('SOURCE_IO', `a file of the archive cannot be read: ${firstLine(error)}`, {
      where: file,
      cause: error,
    })
  }
  return machineError(error, file, 'source') ?? unsound(firstLine(error), file, error)
}

/** Error for a file that is not the one that the archive wrote. */
export function unsound(why: string, file: string, cause?: unknown): SluiceError {
  return new SluiceError('PROOF_FAILED', `a Parquet file of the archive is damaged or was replaced: ${why}`, {
    where: file,
    cause,
  })
}
