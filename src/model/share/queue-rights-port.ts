/** Rights in a queue's database: GRANT statements for the role of a worker or an observer. */

/** `worker`: works, submits and steers runs, changes schedules. `observer`: reads runs, workers and schedules only. */
export type QueueRole = 'worker' | 'observer'
export const QUEUE_ROLES: readonly QueueRole[] = ['worker', 'observer']

export type QueueGrants = {
  /** In execution order, without semicolons; empty if the role has the rights already. */
  readonly statements: readonly string[]
  /** Notes on rights outside of the queue that the statements also grant, or on why there are no statements. */
  readonly notes: readonly string[]
  /** Who may run the statements, as text. */
  readonly by: string
  /** True if the role of this session may run the statements. */
  readonly mayRun: boolean
}

export interface QueueRights extends AsyncDisposable {
  /** URL without password. */
  readonly label: string
  /**
   * The minimal statements for the role. Reads system catalogs only, so it needs no rights on the queue's tables.
   * @param to name of the role, as the database spells it
   * @throws SluiceError NO_SUCH_PATH if the database holds no queue, BAD_FLAG for a role that does not exist or does
   * not inherit, TARGET_DENIED if a superuser owns the queue, CONNECTION_LOST
   */
  plan(role: QueueRole, to: string): Promise<QueueGrants>
  /** Runs the statements in one transaction. @throws SluiceError TARGET_DENIED, CONNECTION_LOST */
  run(statements: readonly string[]): Promise<void>
}
