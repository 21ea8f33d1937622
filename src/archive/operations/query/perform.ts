/** `query`: one statement over a table of a database and its archive. Read-only. */
import { dec, type Dec } from '../../../model/run/event.ts'
import { throwIfAborted } from '../../../shared/abort.ts'
import { renamedText } from '../../../shared/unique-names.ts'
import { tookTooLong } from '../../../stores/common/query-errors.ts'
import type { query, QueryOperation } from './declaration.ts'
import { answer } from '../../query/answer.ts'
import { queriedTable } from '../../query/table-named.ts'
import { openSourceStore } from '../../../engine/copy/open-stores.ts'
import { openLake } from '../../../engine/run/registry.ts'
import { rowValues } from '../../../engine/run/row-value.ts'
import type { Ending, RunOf } from '../../../engine/run/run-context.ts'
import type { TableIdentities } from '../../../model/archive/port.ts'
import { openArchiveQuery } from '../../../stores/parquet.ts'

type QueryRun = RunOf<typeof query>

export async function performQuery(operation: QueryOperation, run: QueryRun): Promise<Ending> {
  const { limit } = operation
  await using store = await openSourceStore(operation.from)
  // A query has nothing to finish: the first stop request cancels it.
  using deadline = new Deadline(run.interrupt.stop, operation.timeoutMs, store.label)
  const { signal } = deadline
  const table = await queriedTable(store, operation.table, signal)
  let rows = 0
  let verified: Dec | undefined
  // Request one row more than is shown, to find out whether there are more.
  const question = {
    store,
    table,
    sql: operation.query,
    limit: limit + 1,
    verify: operation.verifyFiles === true,
    signal,
    open: openArchiveQuery,
    lake: openLake,
  }
  await answer(question, async ({ columns, booleans, sources, hasArchive, formerName, pages, ...said }) => {
    let named = false
    for await (const page of pages) {
      throwIfAborted(signal)
      if (!named) {
        if (!hasArchive) run.emit({ type: 'log', level: 'warn', table: sources.table, message: WITHOUT_ARCHIVE })
        if (formerName !== null)
          run.emit({
            type: 'log',
            level: 'note',
            table: sources.table,
            message: renamed(formerName, store.offers.identities?.by),
          })
        for (const message of said.comparisonNotes)
          run.emit({ type: 'log', level: 'note', table: sources.table, message })
        for (const message of said.missingRowNotes)
          run.emit({ type: 'log', level: 'warn', table: sources.table, message })
        run.emit(sources)
        ;({ verified } = sources)
        run.emit({ type: 'columns', columns })
        const doubled = operation.format === 'json' ? renamedText(columns) : null
        if (doubled !== null) run.emit({ type: 'log', level: 'warn', message: doubled })
      }
      named = true
      for (const row of page) {
        if (rows >= limit) {
          run.emit({ type: 'log', level: 'note', message: `there are more rows than --limit ${limit} shows` })
          return
        }
        rows++
        run.emit({ type: 'row', values: rowValues(row, booleans) })
      }
      await run.drained?.()
      throwIfAborted(signal)
    }
  })
  return { totals: { rows: dec(rows), ...(verified === undefined ? {} : { verified }) } }
}

const WITHOUT_ARCHIVE =
  'this database has no archive ledger for the table: the answer has only the rows of the database'

/** @param by how the system identifies a renamed table */
function renamed(former: string, by: TableIdentities['by'] | undefined): string {
  const how =
    by === 'number'
      ? 'the number of the table in the database'
      : 'what the ledger recorded: an identifier of the table, or keys of rows that were not archived'
  return `the table was called ${former} when it was archived: its archive was found by ${how}`
}

/** Aborts a query that is stopped or whose timeout has passed. */
class Deadline implements Disposable {
  readonly #controller = new AbortController()
  readonly #stop: AbortSignal
  readonly #timer: NodeJS.Timeout | undefined
  readonly #onStop = (): void => this.#controller.abort(this.#stop.reason)

  constructor(stop: AbortSignal, timeoutMs: number | undefined, label: string) {
    this.#stop = stop
    if (stop.aborted) this.#onStop()
    stop.addEventListener('abort', this.#onStop)
    if (timeoutMs === undefined) return
    this.#timer = setTimeout(() => this.#controller.abort(tookTooLong(timeoutMs, label)), timeoutMs)
  }

  get signal(): AbortSignal {
    return this.#controller.signal
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#timer)
    this.#stop.removeEventListener('abort', this.#onStop)
  }
}
