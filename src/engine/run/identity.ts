/** Who runs an operation, as threads are given it. */
import type { Deadline } from '../../shared/deadline.ts'

export type Identity = {
  readonly tool: string
  readonly actor: string
  readonly host: string
  /** Folder of the book of this machine's runs. */
  readonly book?: string
  /** Of each run. */
  readonly deadline?: Deadline
}
