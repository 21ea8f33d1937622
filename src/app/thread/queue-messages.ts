/** Messages between the UI and the thread of a queue. Plain data only. */
import type { RunRequests } from '../../model/share/distributed.ts'
import type { QueueRequest } from '../share/queue-state.ts'
import type { ScheduleChange } from '../share/schedules/change.ts'
import type { PackedError } from '../../shared/packed-error.ts'

/** @property url URL of the queue's database, with its password @property tool version of the program */
export type QueueStart = { readonly url: string; readonly tool: string }

export type QueueAsked =
  | { readonly act: 'snapshot'; readonly wanted: QueueRequest }
  | { readonly act: 'steer'; readonly runId: string; readonly options: RunRequests }
  | { readonly act: 'drain'; readonly worker: string }
  | { readonly act: 'change-schedule'; readonly name: string; readonly change: ScheduleChange }
export type QueueQuestion = { readonly id: number; readonly asked: QueueAsked }
export type QueueAnswer =
  { readonly id: number; readonly value: unknown } | { readonly id: number; readonly error: PackedError }
