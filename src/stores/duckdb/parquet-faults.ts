/** Separates DuckDB's errors about damaged data files from faults of the machine. */
import type { FileFault } from '../../model/lake/parquet-footers.ts'
import { SluiceError } from '../../shared/errors.ts'
import { firstLine, isDuckdbDenied, isDiskFull } from './errors.ts'

export function damagedParquet(reason: string): FileFault {
  return { fault: 'damaged', reason }
}

/** DuckDB's error as a fault of the file. @throws SluiceError for faults of the machine */
export function faultOf(error: unknown): FileFault {
  const message = firstLine(error)
  if (/^Out of Memory/i.test(message) && !/allocate.*(?:TB|PB|EB|[1-9]\d{2,}\.\d GB)/i.test(message)) {
    throw new SluiceError('SOURCE_IO', `not enough memory to read a data file: ${message}`, { cause: error })
  }
  if (isDuckdbDenied(message)) throw new SluiceError('SOURCE_DENIED', message, { cause: error })
  if (isDiskFull(message)) {
    throw new SluiceError('NO_SPACE', 'no space left for temporary files', {
      kind: 'source',
      hint: 'free disk space for temporary files, then run the same command again',
      cause: error,
    })
  }
  return damagedParquet(message.replace(/ ?(?:in|from|of)? ?file ['"][^'"]*['"]/i, ''))
}
