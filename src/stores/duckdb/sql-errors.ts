/** DuckDB's messages as errors of ours, with the guide's words where it has them. */
import { SluiceError } from '../../shared/errors.ts'
import { connectionFailed, permissionDenied, spaceExhausted } from '../../shared/guide-errors.ts'

export function connectFailed(cause: unknown, label: string): SluiceError {
  return new SluiceError(...connectionFailed({ where: `${label}: ${messageOf(cause)}`, cause }))
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

/** DuckDB has no error codes: the first words of its messages are all there is. What is not known here comes back unchanged. */
export function duckdbError(error: unknown, label: string): unknown {
  if (error instanceof SluiceError) return error
  const message = messageOf(error)
  const where = `${label}: ${message}`
  if (/Could not set lock on file/.test(message)) {
    const pid = /\(PID (\d+)\)/.exec(message)?.[1]
    return new SluiceError('TARGET_BUSY', 'the DuckDB file is open in another program', {
      where,
      reason: `a DuckDB file belongs to one program at a time${pid === undefined ? '' : `, now to the one with PID ${pid}`}`,
      hint: 'wait until it ends or close it, then run the same command again',
      retryable: true,
      cause: error,
    })
  }
  if (/^TransactionContext Error: .*[Cc]onflict/.test(message)) {
    return new SluiceError('TARGET_BUSY', 'two writers changed the same rows', { where, retryable: true, cause: error })
  }
  if (/No space left|Out of Memory Error|failed to offload|max_temp_directory_size/i.test(message)) {
    const [code, , details] = spaceExhausted({ where, cause: error }, ', then run the same command again')
    return new SluiceError(code, 'DuckDB ran out of memory or of disk space', details)
  }
  if (/Permission denied|read-only/i.test(message)) {
    return new SluiceError(...permissionDenied('TARGET_DENIED', { where, cause: error }))
  }
  if (/sqlite_scanner/.test(message)) {
    return new SluiceError('TARGET_CORRUPT', 'the file is a SQLite database, not one of DuckDB', {
      where: label,
      hint: 'say sqlite:///… for it',
      cause: error,
    })
  }
  if (/not a valid DuckDB database|Corrupt database|Serialization Error|checksum/i.test(message)) {
    return new SluiceError('TARGET_CORRUPT', 'the file is damaged or is no DuckDB database', { where, cause: error })
  }
  if (/^IO Error: Cannot open file|No such file or directory/.test(message)) return connectFailed(error, label)
  return error
}
