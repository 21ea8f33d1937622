/** Whether anybody was in a database since it refuses connections. */
import { isoTime } from '../../../shared/clock.ts'
import type { DecommissionFinding } from '../../../model/partition/decommission-port.ts'
import type { DatabaseUse } from '../../../model/partition/retirement-port.ts'

/** @param then counters behind the first step, at `atMs`; absent where they were not noted */
export function useSinceInactive(now: DatabaseUse, then: DatabaseUse | undefined, atMs: number): DecommissionFinding {
  const about = 'sessions since'
  if (then === undefined || then.resetAt !== now.resetAt) {
    const detail = then === undefined ? 'the counters were not noted' : 'the server has counted anew since'
    return { verdict: 'not known', about, detail }
  }
  const sessions = then.sessions === null || now.sessions === null ? null : BigInt(now.sessions) - BigInt(then.sessions)
  const writes = BigInt(now.writes) - BigInt(then.writes)
  const isUsed = (sessions ?? 0n) > 0n || writes > 0n
  const counted = sessions === null ? 'this server does not count sessions' : `${String(sessions)} sessions`
  return {
    verdict: isUsed ? 'look' : 'fine',
    about,
    detail: `${counted}, ${String(writes)} written rows since ${isoTime(atMs)}`,
    ...(isUsed ? { hint: 'somebody has taken connections again for a while: find out who' } : {}),
  }
}
