/** Ledger wrapper whose calls fail 3 s after an abort, or once a call takes 10 s after a stop. */
import { SluiceError } from '../../../shared/errors.ts'
import type { Interrupt } from '../../../shared/abort.ts'
import type { LedgerDatabase } from '../../../model/run/ledger-port.ts'

/** Time for all calls together after an abort, ms. Leases that are not released by then expire. */
const GRACE_MS = 3000

/**
 * Time limit of each call after a stop, ms. When a call exceeds it, all later calls fail, because each could wait for
 * `retry_seconds`.
 */
const STOP_MS = 10_000

/**
 * @returns a wrapper of the ledger. Three seconds after an abort, its calls fail with the abort's reason. If a call
 * takes ten seconds after a stop, this call and all others fail with the stop's reason
 */
export function ledgerUnderAbort(
  database: LedgerDatabase,
  { abort, stop }: Pick<Interrupt, 'abort' | 'stop'>,
): LedgerDatabase {
  const over = new AbortController()
  let timer: NodeJS.Timeout | undefined
  const begin = (): void => {
    timer = setTimeout(() => over.abort(abort.reason), GRACE_MS)
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
      return await withTimeout(question, over.signal)
    } finally {
      stop.removeEventListener('abort', wait)
      clearTimeout(late)
    }
  }
  const refuseStrangers = database.refuseStrangers?.bind(database)
  return {
    dialect: database.dialect,
    label: database.label,
    ...(database.mostParameters === undefined ? {} : { mostParameters: database.mostParameters }),
    ...(database.renewals === undefined ? {} : { renewals: database.renewals.bind(database) }),
    ...(refuseStrangers === undefined
      ? {}
      : { refuseStrangers: (names, schema) => within(() => refuseStrangers(names, schema)) }),
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

/** @throws the reason of `over`, and errors of the call */
async function withTimeout<T>(question: () => Promise<T>, over: AbortSignal): Promise<T> {
  const gone = (): SluiceError =>
    over.reason instanceof SluiceError ? over.reason : new SluiceError('ABORTED', 'aborted on request')
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
