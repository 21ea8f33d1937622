/** Events that report the result of a run, a table or a check. */
import type { EventBody } from '../../model/run/event.ts'

export type TableResult = Extract<EventBody, { type: 'table.finished' }>
export type RollbackCheck = Extract<EventBody, { type: 'verify.check' }>
export type Mismatch = Extract<EventBody, { type: 'verify.mismatch' }>
export type Finished = Extract<EventBody, { type: 'run.finished' }>
