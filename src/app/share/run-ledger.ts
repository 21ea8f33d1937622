/** The ledger that a shared run writes, for workers that read it beside the slots. */
import type { WatchedRun } from '../../model/share/distributed.ts'
import type { LedgerDatabase } from '../../model/copy/port.ts'
import { hasLedger } from '../../engine/copy/ledger/schema.ts'
import { openCopyStore } from '../../engine/copy/open-stores.ts'
import { ownUrl, type NamedUrl } from '../../model/share/own-url.ts'

/** A ledger that has not answered for so long says nothing this time, ms. */
const ANSWER_MS = 5_000

/**
 * Reads the ledger of a run; does nothing where this machine has another database under the name of its target, or one without a ledger.
 * @param target name of the store that the run copies into @param known stores of this machine, by the names that runs have for them
 * @throws SluiceError BAD_CONFIG for a store that this machine does not know, and what the store and `body` throw
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

/** @returns what a reading comes to, and `otherwise` where that takes longer than five seconds: it goes on behind the caller's back */
export async function answerWithin<T>(reading: Promise<T>, otherwise: T): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<T>((resolve) => {
    timer = setTimeout(() => resolve(otherwise), ANSWER_MS)
  })
  try {
    return await Promise.race([reading, late])
  } finally {
    clearTimeout(timer)
  }
}
