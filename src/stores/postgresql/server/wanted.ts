/**
 * Detects a session that waits for an exclusive lock (TRUNCATE, ALTER TABLE, LOCK TABLE) of a table that snapshot
 * readers hold. If an idle reader holds the table and another reader requests it, that one queues behind the session,
 * and the session behind the readers. The server sees no deadlock, because half of the circle is in this program, and
 * all writers of the table wait, too.
 */
import type { TextRow } from './session.ts'

const LOOK_MS = 250
/** Shortest use of a snapshot, ms, if only the other session waits: so tables that are often altered get copied. */
const LEAST_MS = 2000

export type WantedOptions = {
  /** On a separate session, in a transaction. */
  readonly ask: (sql: string) => Promise<readonly TextRow[]>
  /** Server processes that read the snapshot. */
  readonly readers: () => readonly number[]
  /**
   * True: give the snapshot up for any waiting session. False: only if a reader waits, too, so that none would
   * continue: a copy should show one snapshot of the source as long as possible.
   */
  readonly always: boolean
  /** Called once, with the name of the table. */
  readonly onWanted: (table: string) => void
}

/** Checks until it is ended, a session waits, or the connection is lost. @returns function that ends the checks */
export function watchWanted({ ask, readers, always, onWanted }: WantedOptions): () => void {
  const begun = performance.now()
  let timer: NodeJS.Timeout | null = null
  let ended = false
  let saved = false
  const look = async (): Promise<void> => {
    const pids = readers()
    if (pids.length > 0) {
      if (!saved) await ask('SAVEPOINT looking')
      saved = true
      const [row] = await ask(wantedSql(pids))
      const [table, stuck] = row ?? []
      if (ended) return
      if (table != null && (stuck === 't' || (always && performance.now() - begun >= LEAST_MS))) {
        ended = true
        return onWanted(table)
      }
    }
    next()
  }
  const next = (): void => {
    // A failed check must not end the transaction of the snapshot, so the server is read all the same. Readers report
    // what ends the session.
    const giveUp = (): unknown => ask('ROLLBACK TO SAVEPOINT looking').catch(() => undefined)
    timer = setTimeout(() => void look().catch(giveUp), LOOK_MS).unref()
  }
  next()
  return () => {
    ended = true
    if (timer !== null) clearTimeout(timer)
  }
}

/** Sessions that request an exclusive lock held by a reader, and whether a reader waits, too. Every role sees both. */
function wantedSql(pids: readonly number[]): string {
  const ours = `'{${pids.join(',')}}'::int[]`
  return `WITH waiting AS MATERIALIZED (
      SELECT pid, relation, mode FROM pg_catalog.pg_locks WHERE NOT granted AND locktype = 'relation')
    SELECT w.relation::regclass, EXISTS (SELECT FROM waiting o WHERE o.pid = ANY (${ours})) FROM waiting w
    WHERE w.mode = 'AccessExclusiveLock' AND w.pid <> ALL (${ours}) AND pg_catalog.pg_blocking_pids(w.pid) OPERATOR(pg_catalog.&&) ${ours} LIMIT 1`
}
