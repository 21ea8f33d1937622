/** Rights in the database of a queue: which statements give a role what a worker, or somebody who only looks, needs there. */

/** `worker`: works, submits and steers runs, changes schedules. `observer`: reads runs, workers and schedules, and writes nothing. */
export type QueueRole = 'worker' | 'observer'
export const QUEUE_ROLES: readonly QueueRole[] = ['worker', 'observer']

export type QueueGrants = {
  /** In the order in which they are run, without semicolons; none where the role has the rights already. */
  readonly statements: readonly string[]
  /** What the statements give beyond the queue, and why there are none. */
  readonly notes: readonly string[]
  /** Who may run them, in words. */
  readonly by: string
  /** Whether the role of this session may run them. */
  readonly mayRun: boolean
}

export interface QueueRights extends AsyncDisposable {
  /** URL without password. */
  readonly label: string
  /**
   * The least that the role lacks or has to keep. Reads system catalogs only, so that it needs no right on the queue's tables.
   * @param to name of the role, as the database spells it
   * @throws SluiceError NO_SUCH_PATH where the database holds no queue, BAD_FLAG for a role that does not exist or does not inherit,
   *   TARGET_DENIED where a superuser owns the queue, CONNECTION_LOST
   */
  plan(role: QueueRole, to: string): Promise<QueueGrants>
  /** Runs the statements in one transaction. @throws SluiceError TARGET_DENIED, CONNECTION_LOST */
  run(statements: readonly string[]): Promise<void>
}
