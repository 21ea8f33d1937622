/** A ledger that keeps no run from its end: once that is dropped, what a server does not answer soon is not waited for. */
import { SluiceError } from '../../../shared/errors.ts'
import type { LedgerDatabase } from '../../../stores/copy-port.ts'

/** How long the ledger is waited for after an abort, in all: what is given back there frees itself when its lease ends. */
const GRACE_MS = 3000

/** @param abort of the run @returns the same ledger, whose questions fail with the abort's reason from some seconds behind it on */
export function ledgerUnderAbort(database: LedgerDatabase, abort: AbortSignal, graceMs = GRACE_MS): LedgerDatabase {
  const over = new AbortController()
  let timer: NodeJS.Timeout | undefined
  const begin = (): void => {
    timer = setTimeout(() => over.abort(abort.reason), graceMs)
  }
  if (abort.aborted) begin()
  else abort.addEventListener('abort', begin, { once: true })
  const within = <T>(question: () => Promise<T>): Promise<T> => answered(question, over.signal)
  return {
    dialect: database.dialect,
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
