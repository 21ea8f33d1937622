import type { QueueRole } from '../../../../model/share/queue-rights-port.ts'
import type { Declaration } from '../../../../engine/run/operations/declaration.ts'

/** Rights in the database of a queue: prints SQL, and runs it with `apply`. */
export type QueueGrantsOperation = {
  readonly kind: 'queue-grants'
  /** URL of the queue's database. */
  readonly connect: string
  readonly role: QueueRole
  /** Name of the role that gets the rights, as the database spells it. */
  readonly to: string
  readonly apply: boolean
}

const EVENTS = ['statement', 'log'] as const

export const queueGrants: Declaration<QueueGrantsOperation, (typeof EVENTS)[number]> = {
  kind: 'queue-grants',
  command: 'grants',
  event: 'grants',
  display: 'answer',
  stores: [{ field: 'connect', family: 'database', access: 'write', end: 'target' }],
  events: EVENTS,
}
