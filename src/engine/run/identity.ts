/** Identity of the program that runs an operation, as threads get it. */
import type { Deadline } from '../../shared/deadline.ts'

export type Identity = {
  readonly tool: string
  readonly actor: string
  readonly host: string
  /** Folder of this machine's run history. */
  readonly book?: string
  /** Applies to each run. */
  readonly deadline?: Deadline
}
