/**
 * Detects a session that waits for an exclusive lock (TRUNCATE, ALTER TABLE, LOCK TABLE) on a table that snapshot
 * readers hold. It waits until all readers release the table, idle ones too. Sessions that request the table later wait
 * behind it: all writers, further readers of this program, and its sessions that only read the catalog, because
 * `pg_get_expr` locks the table, too. If an idle reader continues only after one of these sessions, all of them wait
 * forever. The server detects no deadlock, because this dependency exists only in this program.
 */
import type { TextRow } from './session.ts'

const POLL_MS = 250
/**
 * With `always`: shortest time, in ms, for which a snapshot is used while no session of this program waits. So a copy
 * makes progress even if its table is often altered.
 */
const LEAST_MS = 2000

export type WantedOptions = {
  /** Runs a statement on a separate session, in a transaction. */
  readonly ask: (sql: string) => Promise<readonly TextRow[]>
  /** Server processes that read the snapshot. */
  readonly readers: () => readonly number[]
  /** Server processes of this program's other sessions. */
  readonly others: () => readonly number[]
  /**
   * True: call `onWanted` for any waiting session. False: only if a session of this program waits too, because then
   * neither of them would continue. Otherwise the copy keeps its snapshot as long as possible.
   */
  readonly always: boolean
  /** Called at most once, with the name of the table. */
  readonly onWanted: (table: string) => void
}

/** Checks repeatedly, until a session waits or a check fails. @returns a function that ends the checks */
export function watchWanted({ ask, readers, others, always, onWanted }: WantedOptions): () => void {
  const begun = performance.now()
  let timer: NodeJS.Timeout | null = null
  let ended = false
  let saved = false
  const poll = async (): Promise<void> => {
    const pids = readers()
    if (pids.length > 0) {
      if (!saved) await ask('SAVEPOINT poll')
      saved = true
      const [row] = await ask(wantedSql(pids, others()))
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
    // A failed check ends the checks, but not the transaction of the snapshot, so the copy continues. If the session is
    // lost, readers report it.
    const giveUp = (): unknown => ask('ROLLBACK TO SAVEPOINT poll').catch(() => undefined)
    timer = setTimeout(() => void poll().catch(giveUp), POLL_MS).unref()
  }
  next()
  return () => {
    ended = true
    if (timer !== null) clearTimeout(timer)
  }
}

/**
 * SQL: a table that readers hold and another session waits to lock; and whether a session of this program waits too.
 * The query needs no special rights.
 */
function wantedSql(readers: readonly number[], others: readonly number[]): string {
  const [reading, ours] = [readers, [...readers, ...others]].map((pids) => `'{${pids.join(',')}}'::int[]`)
  return `WITH waiting AS MATERIALIZED (
      SELECT pid, relation, mode FROM pg_catalog.pg_locks WHERE NOT granted AND locktype = 'relation')
    SELECT w.relation::regclass, EXISTS (SELECT FROM waiting o WHERE o.pid = ANY (${ours})) FROM waiting w
    WHERE w.mode = 'AccessExclusiveLock' AND w.pid <> ALL (${ours}) AND pg_catalog.pg_blocking_pids(w.pid) OPERATOR(pg_catalog.&&) ${reading} LIMIT 1`
}
