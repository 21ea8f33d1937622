/** Makes the new table with its partitions: all of it, or nothing. */
import { setTimeout as sleep } from 'node:timers/promises'
import { isBusy } from '../../server/locks.ts'
import type { CopySession } from '../../server/session.ts'
import { committed } from '../../server/patience.ts'

/** A foreign key of the new table keeps writers out of the table that it refers to until all of it is made. */
const LOCK_WAIT_MS = 300
const TRIES = 20
const REST_MS = 250

/** @throws what the server says; where a table that the new one refers to was kept by others for all tries, its refusal of the lock */
export async function makeTables(session: CopySession, statements: readonly string[]): Promise<void> {
  for (let left = TRIES; ; left--) {
    await session.begin('', `SET LOCAL lock_timeout = ${LOCK_WAIT_MS}; SET LOCAL search_path = ''`)
    try {
      for (const statement of statements) await session.ask(statement)
      await committed(session)
      return
    } catch (error) {
      if (session.alive) await session.rollBack()
      if (left <= 1 || !session.alive || !isBusy(error)) throw error
    }
    await sleep(REST_MS)
  }
}
