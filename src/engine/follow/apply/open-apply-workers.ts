/** Opens a session of the target for each apply worker of a stream. */
import type { LogPosition } from '../../../model/copy/change.ts'
import type { ChangeWriter } from '../../../model/follow/port.ts'
import { ApplyWorker } from './apply-worker.ts'
import { ApplyWorkers } from './apply-workers.ts'
import type { LoopParts } from './loop-parts.ts'
import type { Positions } from '../../copy/ledger/streams.ts'
import type { TouchedRows } from '../compare/touched-rows.ts'

export type OpenApplyWorkers = AsyncDisposable & {
  readonly workers: ApplyWorkers
  /** Sets the function that receives the position that is durable in all apply workers. */
  confirmTo(confirm: (position: LogPosition) => void): void
}

export type ApplyWorkersRequest = Pick<
  LoopParts,
  'stream' | 'fence' | 'ledger' | 'database' | 'target' | 'tables' | 'states' | 'fireTriggers' | 'clock'
> & {
  /** Number of the apply worker of each table, by the table's number in the stream. */
  readonly applyWorkerOf: readonly number[]
  readonly positions: Positions
  /** As in `ApplyWorkerParts`. */
  readonly touched?: TouchedRows | undefined
  readonly signal: AbortSignal
}

/** @throws what the target throws; sessions opened so far are closed then */
export async function openApplyWorkers(request: ApplyWorkersRequest): Promise<OpenApplyWorkers> {
  const {
    stream,
    fence,
    ledger,
    database,
    target: changeTarget,
    tables,
    applyWorkerOf,
    states,
    positions,
    fireTriggers,
    clock,
    touched,
    signal,
  } = request
  const rows = await ledger.applyWorkers(stream)
  const writers: ChangeWriter[] = []
  let opened: ApplyWorkers | null = null
  const close = async (): Promise<void> => {
    // Close a session only after its write has ended.
    await opened?.giveUp()
    await Promise.allSettled(writers.map((writer) => writer[Symbol.asyncDispose]()))
  }
  try {
    const wanted = { tables: tables.map((one) => one.target), fireTriggers, signal }
    for (const _ of rows) writers.push(await changeTarget.open(wanted))
    await ledger.lease.noteSessions(
      stream,
      writers.map(({ session }) => session),
    )
    let answer: (position: LogPosition) => void = () => undefined
    let reported: LogPosition = -1n
    const confirm = (): void => {
      const { applied } = workers
      if (applied > reported) answer(applied)
      reported = applied
    }
    const each = rows.map((row, at) => {
      const writer = writers[at] as ChangeWriter
      const held = { stream, worker: row.worker, fence }
      // Tables whose row count has a known lower bound. Triggers of the target may delete rows of any table, and rows
      // that a copy writes outside the stream are not counted.
      const known = fireTriggers
        ? []
        : [...tables.keys()].filter(
            (table) => applyWorkerOf[table] === row.worker && states.isApplied(table) && states.part(table) === null,
          )
      const parts = { confirm, writer, database, ledger, held, row, tables, known, states, positions, clock }
      return new ApplyWorker(touched === undefined ? parts : { ...parts, touched })
    })
    const places = applyWorkerOf.map((worker) => rows.findIndex((row) => row.worker === worker))
    const workers = new ApplyWorkers(each, places, positions, database)
    opened = workers
    return {
      workers,
      confirmTo: (given) => (answer = given),
      [Symbol.asyncDispose]: close,
    }
  } catch (error) {
    await close()
    throw error
  }
}
