/** Of the slots of a shared run one counts what was there before, and the others take its word: under the lease by which a table is divided, so that a slot that is lost is followed. */
import { setTimeout as sleep } from 'node:timers/promises'
import type { TableContext } from '../table/context.ts'
import type { SharedTables } from '../ledger/shared-tables.ts'

const WAIT_MS = 500

/** `mine`: this run is to look now, and has the lease. Otherwise the run that has looked; null where this one was asked to stop while it waited. */
export type LookTurn = 'mine' | { readonly by: bigint } | null

/** Waits for another slot that looks. */
export async function turnToLook(context: TableContext, shared: SharedTables, stop: AbortSignal): Promise<LookTurn> {
  const { key, planning, name, emit } = context
  const lookedBy = async (): Promise<bigint | null> => (await shared.standing(key))?.lookedBy ?? null
  for (let told = false; ; told = true) {
    const before = await lookedBy()
    if (before !== null) return { by: before }
    if (await planning.take()) {
      const meanwhile = await lookedBy()
      if (meanwhile === null) return 'mine'
      await endTurn(context)
      return { by: meanwhile }
    }
    if (stop.aborted) return null
    if (!told) emit({ type: 'log', level: 'note', table: name, message: 'another slot counts or divides it; waiting' })
    await sleep(WAIT_MS, undefined, { signal: stop }).catch(() => undefined)
  }
}

/** Lets others look. Of a table without a key the lease is the run's until the table is finished. */
export async function endTurn({ plan, planning }: TableContext): Promise<void> {
  if (plan.cut === 'key') await planning.end()
}
