/** A ledger that keeps no run from its end: once that is asked for, a server that does not answer is not waited for as long as otherwise. */
import { SluiceError } from '../../../shared/errors.ts'
import type { Interrupt } from '../../../shared/abort.ts'
import type { LedgerDatabase } from '../../../model/copy/port.ts'

/** How long the ledger is waited for after an abort, in all: what is given back there frees itself when its lease ends. */
const GRACE_MS = 3000

/** Behind a stop each question may take as long as this; the first that takes longer is the last: each would wait for the whole of `retry_seconds`. */
const STOP_MS = 10_000

/**
 * @returns the same ledger, whose questions fail with the abort's reason from some seconds behind it on. Behind a stop all fail with its reason as soon as one was
 * not answered for ten seconds
 */
export function ledgerUnderAbort(
  database: LedgerDatabase,
  { abort, stop }: Pick<Interrupt, 'abort' | 'stop'>,
  graceMs = GRACE_MS,
): LedgerDatabase {
  const over = new AbortController()
  let timer: NodeJS.Timeout | undefined
  const begin = (): void => {
    timer = setTimeout(() => over.abort(abort.reason), graceMs)
  }
  if (abort.aborted) begin()
  else abort.addEventListener('abort', begin, { once: true })
  const within = async <T>(question: () => Promise<T>): Promise<T> => {
    let late: NodeJS.Timeout | undefined
    const wait = (): void => {
      late = setTimeout(() => over.abort(stop.reason), STOP_MS)
    }
    if (stop.aborted) wait()
    else stop.addEventListener('abort', wait, { once: true })
    try {
      return await answered(question, over.signal)
    } finally {
      stop.removeEventListener('abort', wait)
      clearTimeout(late)
    }
  }
  return {
    dialect: database.dialect,
    label: database.label,
    ...(database.mostParameters === undefined ? {} : { mostParameters: database.mostParameters }),
    ...(database.renewals === undefined ? {} : { renewals: database.renewals.bind(database) }),
    all: (sql, parameters) => within(() => database.all(sql, parameters)),
    batch: (statements) => within(() => database.batch(statements)),
    endSession: (session) => within(() => database.endSession(session)),
    [Symbol.asyncDispose]: async () => {
      abort.removeEventListener('abort', begin)
      clearTimeout(timer)
      await database[Symbol.asyncDispose]()
    },
  }
}

/** @throws the reason of `over`, and what the question throws */
async function answered<T>(question: () => Promise<T>, over: AbortSignal): Promise<T> {
  const gone = (): SluiceError =>
    over.reason instanceof SluiceError ? over.reason : new SluiceError('ABORTED', 'aborted as asked')
  if (over.aborted) throw gone()
  let end = (): void => undefined
  const ended = new Promise<never>((_, reject) => {
    end = () => reject(gone())
    over.addEventListener('abort', end)
  })
  try {
    return await Promise.race([question(), ended])
  } finally {
    over.removeEventListener('abort', end)
  }
}
