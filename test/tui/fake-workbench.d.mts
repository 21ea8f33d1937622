import type { Answering, AskCell, AskProgress } from '../../src/app/ask/port.ts'
import type { RunningOperation, Workbench } from '../../src/app/workbench.ts'
import type { EventBody } from '../../src/model/run/event.ts'
import type { Operation } from '../../src/app/operations/list.ts'

export const NOW: number

export type FakeRun = RunningOperation & {
  readonly commandLine: string
  readonly calls: string[]
  emit(body: EventBody): void
  finish(exitCode: number, body?: Partial<EventBody & { type: 'run.finished' }>): void
}

export type FakeAnswer = Answering & {
  readonly calls: string[]
  /** Goes on cancelling until the test ends it. */
  stubborn: boolean
  come(columns: readonly string[], rows: readonly (readonly AskCell[])[]): void
  end(change?: Partial<AskProgress>): void
}

export type Fake = Workbench & {
  readonly answers: FakeAnswer[]
  readonly written: { readonly path: string; readonly text: string }[]
  readonly asked: string[]
  readonly runsStarted: FakeRun[]
  catalogOf(name: string, state: object): void
  /** The row is another one by now, as a look at the log would find. */
  commits(name: string, change: object): void
}

/** A lake of 14 tables and 2 databases; `hold` leaves real runs to the test, else they play by themselves. */
export function fakeWorkbench(options?: {
  /** `all`: the ones that only read, too. */
  hold?: boolean | 'all'
  slow?: boolean
  lake?: string | null
  /** Without a lake the list of tables is empty. */
  catalog?: string | null
  database?: string | null
  extraTables?: number
}): Fake
export function importEvents(operation: Operation): EventBody[]
