/** Access to the ledger of a shared run for its workers, independent of the tasks. */
import type { WatchedRun } from '../../model/share/distributed.ts'
import type { LedgerDatabase } from '../../model/run/ledger-port.ts'
import { hasLedger } from '../../engine/copy/ledger/schema.ts'
import { openCopyStore } from '../../engine/copy/open-stores.ts'
import { ownUrl, type NamedUrl } from '../../model/share/own-url.ts'

/** Timeout of a reading, ms. */
const ANSWER_MS = 5_000

/**
 * Reads the ledger of a run. Does nothing if the target's name means another database here, or there is no ledger.
 * @param target name of the store that the run copies into @param known stores of this machine, by their names in runs
 * @throws SluiceError BAD_CONFIG for an unknown store, and errors of the store and `body`
 */
export async function withRunLedger(
  { stores }: Pick<WatchedRun, 'stores'>,
  target: string,
  known: readonly NamedUrl[],
  body: (ledger: LedgerDatabase) => Promise<void>,
): Promise<void> {
  const begun = stores.find(({ name }) => name === target)
  if (begun === undefined) return
  await using store = await openCopyStore(ownUrl(target, known), { mode: 'read' })
  if (store.identity !== begun.identity) return
  await using ledger = await store.ledger()
  if (await hasLedger(ledger)) await body(ledger)
}

/** @returns the result of a reading, or `fallback` after five seconds: the reading then continues in the background */
export async function answerWithin<T>(reading: Promise<T>, fallback: T): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<T>((resolve) => {
    timer = setTimeout(() => resolve(fallback), ANSWER_MS)
  })
  try {
    return await Promise.race([reading, late])
  } finally {
    clearTimeout(timer)
  }
}
