/** Processes partitioned tables of a database one after the other; a failure does not stop the others. */
import type { ArchiveRecord } from '../archive/ledger/record.ts'
import { isNamedBy, tableText, type TableName, type TableSpec } from '../model/copy/column-type.ts'
import { asSluiceError, errorLine, SluiceError } from '../shared/errors.ts'
import type { CopyStore } from '../model/copy/port.ts'
import { archiveOf } from '../archive/work/find-archive.ts'
import { sourceTables } from '../archive/work/each-table.ts'
import { Ledgers } from '../archive/work/find-ledger.ts'
import type { Run } from '../engine/run/run-context.ts'
import type { Epoch } from '../model/calendar/calendar.ts'
import { maintenanceOf, partitionCoverage, type CalendarOptions, type PartitionCoverage } from './partition-coverage.ts'
import { shellQuote } from '../shared/shell.ts'

export type TableWithCoverage = {
  readonly name: string
  readonly standing: PartitionCoverage
  readonly archive: ArchiveRecord | null
}

export type EachTableOptions = {
  readonly tables: readonly string[]
  readonly calendar: CalendarOptions
  /** Unit of integers in the time column, counted from 1970. */
  readonly epoch?: Epoch | undefined
  /** True to read sizes of partitions. */
  readonly sizes: boolean
}

type TablesEnd = {
  /** Failed tables, in order. */
  readonly errors: readonly SluiceError[]
  /** Number of tables of a pattern that are partitioned in an unsupported way. */
  readonly skippedTables: number
  /** One text for each archive that could not be read: its name and the cause. */
  readonly unread: readonly string[]
  /** True if some tables were not begun because a stop was requested. */
  readonly stopped: boolean
}

/**
 * Processes the tables of a pattern that are partitioned by ranges of one time column. Tables with other partitions are
 * reported and skipped. A table that is named explicitly must be partitioned by ranges of one time column.
 * @param each called per table; an exception is reported, and the next table follows
 * @throws SluiceError NO_SUCH_TABLE; the error of the table if there is only one
 */
export async function eachTable(
  store: CopyStore,
  options: EachTableOptions,
  run: Run<'log'>,
  each: (found: TableWithCoverage) => Promise<void>,
): Promise<TablesEnd> {
  const { abort: signal, stop } = run.interrupt
  const maintenance = maintenanceOf(store)
  const errors: SluiceError[] = []
  const unread: string[] = []
  let skippedTables = 0
  let inspected = 0
  await using archives = new Archives(store)
  const tables = await wantedTables(store, options.tables, signal)
  for (const { table, named } of tables) {
    if (stop.aborted) return { errors, skippedTables, unread, stopped: true }
    const name = tableText(table.table)
    try {
      const { calendar, epoch, sizes } = options
      let read: ReturnType<typeof archiveIn> | undefined
      const readOnce = (): ReturnType<typeof archiveIn> => (read ??= archiveIn(archives, table, run))
      const archived = async (): Promise<ArchiveRecord | null> => (await readOnce()).record
      const standing = await partitionCoverage(maintenance, table, calendar, { epoch, archived, sizes, signal })
      if (standing === null) {
        if (named) throw notPartitioned(name, store)
        continue
      }
      inspected++
      const { record: archive, error: why } = await readOnce()
      if (why !== null) unread.push(`the archive of ${name}: ${errorLine(why.info())}`)
      await each({ name, standing, archive })
    } catch (error) {
      const known = asSluiceError(error)
      if (signal.aborted || known.code === 'INTERNAL') throw known
      if (known.kind === 'unsupported' && !named) {
        skippedTables++
        const message = `skipped: ${[known.message, known.reason].filter(Boolean).join('; ')}`
        run.emit({ type: 'log', level: 'note', table: name, message })
        continue
      }
      if (tables.length === 1) throw known
      errors.push(known)
      run.emit({
        type: 'log',
        level: 'error',
        table: name,
        message: [`${known.code} ${known.message}`, known.reason].filter(Boolean).join('; '),
        ...(known.hint === undefined ? {} : { hint: known.hint }),
      })
    }
  }
  if (inspected === 0 && errors.length === 0) {
    const message = `no table that matches ${options.tables.join(', ')} is partitioned by ranges of one time column`
    run.emit({ type: 'log', level: 'warn', message })
  }
  return { errors, skippedTables, unread, stopped: false }
}

async function wantedTables(
  store: CopyStore,
  patterns: readonly string[],
  signal: AbortSignal,
): Promise<readonly { readonly table: TableSpec; readonly named: boolean }[]> {
  const wanted = new Map<string, { table: TableSpec; named: boolean }>()
  for (const pattern of patterns) {
    for (const table of await sourceTables({ store }, [pattern], signal))
      wanted.set(tableText(table.table), { table, named: isNamedBy(table.table, pattern) })
  }
  return [...wanted.values()]
}

/** The ledger of a store, opened when needed, and again after an error: hours may pass between two tables. */
class Archives implements AsyncDisposable {
  readonly #store: CopyStore
  #open: Ledgers | null = null

  constructor(store: CopyStore) {
    this.#store = store
  }

  async read(table: TableName, signal: AbortSignal): Promise<ArchiveRecord | null> {
    const known = this.#open
    try {
      return await this.#read(table, signal)
    } catch (error) {
      await this[Symbol.asyncDispose]()
      if (known === null) throw error
      return await this.#read(table, signal)
    }
  }

  async #read(table: TableName, signal: AbortSignal): Promise<ArchiveRecord | null> {
    this.#open ??= await Ledgers.open(this.#store, false)
    return (await archiveOf({ store: this.#store, ledgers: this.#open }, { table }, signal)).record
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const open = this.#open
    this.#open = null
    // Only reads were done, so errors at closing are ignored.
    await open?.[Symbol.asyncDispose]().then(undefined, () => undefined)
  }
}

/**
 * Ledger data of the archive of a table. If it cannot be read, warns and returns the error: states are then reported
 * without it.
 */
async function archiveIn(
  archives: Archives,
  { table }: TableSpec,
  run: Run<'log'>,
): Promise<{ readonly record: ArchiveRecord | null; readonly error: SluiceError | null }> {
  try {
    return { record: await archives.read(table, run.interrupt.abort), error: null }
  } catch (error) {
    const known = asSluiceError(error)
    if (known.code === 'INTERNAL') throw error
    run.emit({
      type: 'log',
      level: 'warn',
      table: tableText(table),
      message: `its archive was not inspected: ${known.code} ${known.message}`,
    })
    return { record: null, error: known }
  }
}

function notPartitioned(name: string, { label }: CopyStore): SluiceError {
  return new SluiceError('UNSUPPORTED_TYPE', `${name} is not partitioned`, {
    where: label,
    hint: `sluice partition plan --table ${shellQuote(name)} --by COLUMN shows what partitioning it needs`,
  })
}
