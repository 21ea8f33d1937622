/** The reverse stream: checked first, created before writers are blocked, removed if the cutover does not happen. */
import { tableText, type TableName } from '../../../model/copy/column-type.ts'
import { SluiceError } from '../../../shared/errors.ts'
import type { CopyStore } from '../../../model/copy/port.ts'
import type { ChangeSource, FollowedTable, StreamStart } from '../../../model/follow/port.ts'
import type { CopyRun } from '../../copy/copy-run.ts'
import { planFollowed } from '../../copy/plan/plan-followed.ts'
import { streamName } from '../stream/end-stream.ts'
import { refuse, streamSides } from '../stream/preflight.ts'
import { followTable, ledgerKey, sourceOf } from '../stream/followed-table.ts'
import type { CopyOperation } from '../../copy/operations/copy/declaration.ts'

/** Slot, start position and start record of a reverse stream. */
export type CreatedStream = { readonly slot: string; readonly start: string; readonly birth: StreamStart }

/**
 * Inspects both sides in the new direction, under the present names of the tables.
 * @param stores source and target of the new direction @param source the table that gets the public name
 * @returns the table as the source of the stream
 * @throws SluiceError NOT_FOLLOWABLE, SOURCE_GONE, and errors of planning the table
 */
export async function inspectReverse(
  operation: CopyOperation,
  stores: { readonly from: CopyStore; readonly to: CopyStore },
  source: TableName,
  run: CopyRun,
): Promise<FollowedTable> {
  const followed = new Set([tableText(source)])
  const planned = await planFollowed(operation, { ...stores, begun: null }, followed, run.interrupt.abort)
  const [one] = planned.tables
  if (one?.plan == null) throw new SluiceError('SOURCE_GONE', `${tableText(source)} does not exist`)
  const { changes, target } = streamSides(planned, 'slot')
  const preflight = await changes.inspect([sourceOf(one.plan)], run.interrupt.abort)
  refuse(preflight.refusals, run)
  const table = followTable(one.plan, ledgerKey(one, planned), preflight.identities[0] ?? [])
  // The table holds every row from the start, so its constraints cannot block the stream.
  const fireTriggers = operation.follow?.fireTriggers === true
  const reported = await target.inspect({ tables: [table.target], fireTriggers, signal: run.interrupt.abort })
  refuse(reported.refusals, run)
  return table.source
}

/** The same table under its name after the cutover. */
export function renamed(table: FollowedTable, name: TableName): FollowedTable {
  return { ...table, table: { ...table.table, table: name } }
}

/** Creates publication and slot while the earlier stream runs. */
export class ReverseCreation {
  readonly #end = new AbortController()
  #begun: Promise<CreatedStream> | null = null
  #made: { readonly made: CreatedStream } | { readonly failed: unknown } | null = null

  /**
   * Begins to create the reverse stream on the first call, and again on the call after a failure.
   * @returns null while the stream is being created
   * @throws what `ChangeSource.begin` throws, once for each creation
   */
  made(begin: (signal: AbortSignal) => Promise<CreatedStream>): CreatedStream | null {
    if (this.#begun === null) {
      this.#begun = begin(this.#end.signal)
      this.#begun.then(
        (made) => (this.#made = { made }),
        (failed: unknown) => (this.#made = { failed }),
      )
    }
    if (this.#made === null) return null
    if ('made' in this.#made) return this.#made.made
    const { failed } = this.#made
    this.#begun = null
    this.#made = null
    throw failed
  }

  /**
   * Checks the stream that was made. With a fault it is created again by the next call of `made`.
   * @returns why the stream would miss changes; null if it would not
   */
  async fault(check: () => Promise<string | null>): Promise<string | null> {
    const fault = await check()
    if (fault !== null) {
      this.#begun = null
      this.#made = null
    }
    return fault
  }

  /** Aborts the creation and waits for its end. */
  async stop(): Promise<void> {
    this.#end.abort(new SluiceError('STOPPED', 'stopped on request'))
    await this.#begun?.catch(() => undefined)
  }
}

/**
 * Why the reverse stream would miss changes after the cutover; null if it would not.
 * @param tables empty: only slot and publication of the stream are checked
 */
export async function reverseFault(
  changes: ChangeSource,
  { birth: startRecord }: Pick<CreatedStream, 'birth'>,
  tables: readonly FollowedTable[],
  signal: AbortSignal,
): Promise<string | null> {
  const { faults } = await changes.verify(startRecord, tables, changes.position(startRecord.start), signal)
  return faults[0]?.message ?? null
}

/** @throws what `ChangeSource.begin` throws */
export async function makeReverse(
  changes: ChangeSource,
  id: string,
  table: FollowedTable,
  run: CopyRun,
  signal: AbortSignal,
): Promise<CreatedStream> {
  const startRecord = await changes.begin(
    streamName(id),
    [table],
    AbortSignal.any([signal, run.interrupt.abort, run.interrupt.stop]),
    (message) => run.emit({ type: 'log', level: 'note', message }),
  )
  return { slot: startRecord.slot, start: startRecord.start, birth: startRecord }
}
