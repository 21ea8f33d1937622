/** Identity of the program that runs an operation, in the form that is passed to its threads. */
import type { Deadline } from '../../shared/deadline.ts'

export type Identity = {
  readonly tool: string
  readonly actor: string
  readonly host: string
  /** Folder of this machine's run history. */
  readonly book?: string
  /** Time limit of each run. */
  readonly deadline?: Deadline
}
