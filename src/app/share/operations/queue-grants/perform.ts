/** `grants --connect`: prints the minimal rights of a role in a queue's database as SQL, and runs it with `--apply`. */
import { dec } from '../../../../model/run/event.ts'
import { SluiceError } from '../../../../shared/errors.ts'
import { openQueueRights } from '../../queues.ts'
import type { Ending, RunOf } from '../../../../engine/run/run-context.ts'
import type { queueGrants, QueueGrantsOperation } from './declaration.ts'

/**
 * @throws SluiceError NO_SUCH_PATH if there is no queue, BAD_FLAG for an unknown role, TARGET_DENIED, UNSUPPORTED_URL,
 * CONNECT_FAILED
 */
export async function performQueueGrants(
  operation: QueueGrantsOperation,
  run: RunOf<typeof queueGrants>,
): Promise<Ending> {
  const { connect, role, to, apply } = operation
  await using rights = await openQueueRights(connect)
  const { statements, notes, by, mayRun } = await rights.plan(role, to)
  if (apply && !mayRun) {
    // A GRANT without the grant option only warns, and grants nothing.
    throw new SluiceError('TARGET_DENIED', 'this login may not grant these rights', {
      where: rights.label,
      hint: `run the same command, or the printed statements, as ${by}`,
    })
  }
  if (apply) await rights.run(statements)
  for (const sql of statements) run.emit({ type: 'statement', sql, applied: apply })
  const denied = mayRun ? [] : [`this login may not run these statements: run them as ${by}`]
  for (const message of [...notes, ...denied]) run.emit({ type: 'log', level: 'note', message })
  return { totals: { statements: dec(statements.length), applied: dec(apply ? statements.length : 0) } }
}
