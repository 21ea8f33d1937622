/** Checks common to all database servers. */
import type { Clock } from '../../shared/clock.ts'
import type { SqlDatabase } from '../../model/run/sql-port.ts'
import { fail, ok, warn, type Verdict } from '../../model/run/verdict.ts'
import { tookText } from '../../shared/figures.ts'
import { roundTripVerdict } from '../../stores/common/round-trip.ts'

const SKEW_WARN_MS = 2_000
const SKEW_FAIL_MS = 30_000

export function databaseRoundTripVerdict(database: SqlDatabase): Promise<Verdict> {
  return roundTripVerdict(() => database.all('SELECT 1'), {
    cause: 'every small table costs several of these round trips',
    hint: 'run sluice nearer to the database',
  })
}

/** Compares the clocks of server and machine: leases of running imports depend on both. */
export async function clockVerdict(database: SqlDatabase, clock: Pick<Clock, 'now'>): Promise<Verdict> {
  const before = clock.now()
  const there = await database.now()
  const after = clock.now()
  // A difference within the round trip cannot be measured.
  const skew = there < before ? there - before : there > after ? there - after : 0
  const amount = Math.abs(skew)
  const found =
    amount < 50 ? 'the server has the same time' : `the server is ${tookText(amount)} ${skew > 0 ? 'ahead' : 'behind'}`
  if (amount <= SKEW_WARN_MS) return ok(found)
  const trouble = {
    cause: 'leases of running imports depend on both clocks',
    hint: 'synchronise both clocks with a time server (NTP)',
  }
  return amount > SKEW_FAIL_MS ? fail(found, trouble) : warn(found, trouble)
}

/** Takes a lock, checks that another session cannot get it, releases it, and takes it again. */
export async function locksVerdict(database: SqlDatabase, name: string): Promise<Verdict | null> {
  if (database.lock === undefined) return null
  const first = await database.lock(name)
  if (first === null) {
    return warn('another session holds the lock of this check', { hint: 'run sluice doctor again' })
  }
  try {
    const second = await database.lock(name)
    if (second !== null) {
      await second[Symbol.asyncDispose]()
      return warn('two sessions got the same lock at the same time', {
        cause: 'a pooler between here and the server hands out another session each time (pool_mode=transaction)',
        hint: 'connect to the server itself, or to a pooler with pool_mode=session',
      })
    }
  } finally {
    await first[Symbol.asyncDispose]()
  }
  const again = await database.lock(name)
  if (again === null) {
    return warn('a released lock is still held', {
      cause: 'a pooler keeps the session that took it',
      hint: 'connect to the server itself, or to a pooler with pool_mode=session',
    })
  }
  await again[Symbol.asyncDispose]()
  return ok('taken by one session at a time, and released')
}
