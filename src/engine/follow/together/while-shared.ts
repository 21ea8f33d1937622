/** Whoever has a stream lets others copy with it. */
import type { LedgerDatabase } from '../../../model/copy/port.ts'
import { SharedCopies, type SharedCopy } from './shared-copies.ts'

/** What is done within this time is not worth programs elsewhere, ms. */
const ALONE_MS = 1000

/**
 * @param call asks other workers to come
 * @param body copies all that is left, whoever comes
 */
export async function whileShared(
  copy: SharedCopy,
  {
    database,
    sharedRun,
    runId,
    call,
  }: {
    readonly database: LedgerDatabase
    readonly sharedRun: string
    readonly runId: bigint
    readonly call: () => void
  },
  body: () => Promise<void>,
): Promise<void> {
  const copies = new SharedCopies(database)
  await copies.begin(copy, sharedRun, runId)
  const calling = setTimeout(call, ALONE_MS)
  try {
    await body()
  } finally {
    clearTimeout(calling)
    // Where the ledger is away: nobody finds chunks by it, and the next copy of the stream takes its place.
    await copies.end(copy.stream).catch(() => undefined)
  }
}
