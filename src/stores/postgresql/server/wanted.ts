/**
 * Notices that another session waits for a table to itself (TRUNCATE, ALTER TABLE, LOCK TABLE) that readers of a snapshot hold. Where such a reader has
 * done its work and another reader asks for the same table, the reader queues behind that session, and the session behind the readers: the server sees no
 * deadlock, because one half of the circle is this program, and every writer of the table waits with them.
 */
import type { TextRow } from './session.ts'

const LOOK_MS = 250
/** A snapshot may be read for as long as this where nothing but the other session waits, so that tables which are altered all the time are copied. */
const LEAST_MS = 2000

export type WantedOptions = {
  /** On a session that does nothing else, and is in a transaction. */
  readonly ask: (sql: string) => Promise<readonly TextRow[]>
  /** Processes of the server that read the snapshot. */
  readonly readers: () => readonly number[]
  /**
   * Whether a snapshot is given up for anybody who waits. Otherwise it is given up only where a reader waits, too, so that nobody would go on: what is
   * copied is to show one moment of the source as long as that can be had.
   */
  readonly always: boolean
  /** Called once, with the name of the table. */
  readonly onWanted: (table: string) => void
}

/** Looks until it is ended, somebody waits, or the session is gone. @returns ends the looking */
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
    // A server that does not answer this is read all the same: its failure must not end the transaction of the snapshot. Whatever ends the session is told by readers.
    const giveUp = (): unknown => ask('ROLLBACK TO SAVEPOINT looking').catch(() => undefined)
    timer = setTimeout(() => void look().catch(giveUp), LOOK_MS).unref()
  }
  next()
  return () => {
    ended = true
    if (timer !== null) clearTimeout(timer)
  }
}

/** Whoever asks for a table to himself that a reader keeps from him, and whether a reader waits for a table, too. Every role may see both. */
function wantedSql(pids: readonly number[]): string {
  const ours = `'{${pids.join(',')}}'::int[]`
  return `WITH waiting AS MATERIALIZED (
      SELECT pid, relation, mode FROM pg_catalog.pg_locks WHERE NOT granted AND locktype = 'relation')
    SELECT w.relation::regclass, EXISTS (SELECT FROM waiting o WHERE o.pid = ANY (${ours})) FROM waiting w
    WHERE w.mode = 'AccessExclusiveLock' AND w.pid <> ALL (${ours}) AND pg_catalog.pg_blocking_pids(w.pid) OPERATOR(pg_catalog.&&) ${ours} LIMIT 1`
}
