/** Ending of a copy, over all of its tables. */
import { dec } from '../../../model/run/event.ts'
import { SluiceError } from '../../../shared/errors.ts'
import { shellQuote } from '../../../shared/shell.ts'
import type { CopyOperation } from '../operations/copy/declaration.ts'
import type { Ending } from '../../run/run-context.ts'
import { stoppedEnding, type TableError } from '../../run/stopped-ending.ts'
import { finishTable } from './finish-table.ts'
import { quarantinedRuns } from '../ledger/quarantine.ts'
import { buildForeignKeys, objectsError } from '../objects/build-objects.ts'
import { noteTarget } from './same-table.ts'
import type { Tallies, TableRun } from './table-run.ts'
import type { CopyContext } from './copy-context.ts'

type Sums = Record<keyof typeof NOTHING, bigint>

const NOTHING = {
  read: 0n,
  written: 0n,
  skipped: 0n,
  quarantined: 0n,
  bytes: 0n,
  chunks: 0n,
  proved: 0n,
  earlier: 0n,
  unproved: 0n,
  counted: 0n,
  looked: 0n,
}

/** Totals of all tables. */
type Summed = {
  readonly sums: Sums
  readonly failures: TableError[]
  readonly leftOut: string[]
  /** Runs that have quarantined rows. */
  readonly quarantined: Set<bigint>
  ok: number
  unbuilt: number
  isRecountStopped: boolean
}

/** Finishes and reports the tables that are not reported yet, and sums up all tables. */
export async function endTables(tables: readonly TableRun[], copyContext: CopyContext): Promise<Ending> {
  const summed = await finishAll(tables, copyContext)
  for (const [{ name, ended }, built] of await buildForeignKeys(tables, copyContext)) {
    summed.unbuilt += built.left
    if (built.errors.length === 0 || ended?.error !== null) continue
    summed.failures.push({ name, error: objectsError(name, built.errors) })
    summed.ok--
  }
  for (const { context, ended } of tables) {
    // A failure here loses nothing: the next run then counts the rows before it accepts the table as the same one.
    if (context !== null && (ended?.error?.kind ?? 'verify') === 'verify')
      await noteTarget(context, copyContext.runs).catch(() => undefined)
  }
  return endingOf(tables, summed, copyContext)
}

async function finishAll(tables: readonly TableRun[], copyContext: CopyContext): Promise<Summed> {
  const all: Summed = {
    sums: { ...NOTHING },
    failures: [],
    leftOut: [],
    quarantined: new Set(),
    ok: 0,
    unbuilt: 0,
    isRecountStopped: false,
  }
  for (const table of tables) {
    if (table.context === null) {
      if (table.error !== null) all.failures.push({ name: table.name, error: table.error })
      continue
    }
    const { tally, error, leftOut, unbuilt, isRecountStopped } = await finishTable(table, table.context, copyContext)
    for (const name of Object.keys(NOTHING) as (keyof Sums)[]) all.sums[name] += tally[name]
    // Earlier runs may have quarantined these rows. An unreadable ledger was reported before.
    if (tally.quarantined > 0n)
      for (const runId of await quarantinedRuns(copyContext.database, table.context.key).catch(() => []))
        all.quarantined.add(runId)
    if (error !== null) all.failures.push({ name: table.name, error })
    else if (leftOut) all.leftOut.push(table.name)
    else all.ok++
    all.unbuilt += unbuilt
    all.isRecountStopped ||= isRecountStopped
  }
  return all
}

function endingOf(tables: readonly TableRun[], summed: Summed, { operation, run, steering }: CopyContext): Ending {
  const { sums, failures, leftOut, quarantined, ok, unbuilt, isRecountStopped } = summed
  const totals = {
    tables: dec(tables.length),
    ok: dec(ok),
    ...againTotals(tables),
    ...Object.fromEntries(
      Object.entries(sums).flatMap(([name, value]) =>
        value === 0n && (name === 'unproved' || name === 'counted') ? [] : [[name, dec(value)]],
      ),
    ),
  }
  const proof = proofOf(operation, sums)
  const more = quarantined.size === 0 ? {} : { asideRuns: [...quarantined].map((runId) => dec(runId)) }
  if (steering.stop.aborted && (sums.proved + sums.earlier < sums.chunks || unbuilt > 0 || isRecountStopped))
    return { ...stoppedEnding(totals, failures, tables.length), proof, ...more }
  const errors = failures.map(({ error }) => error)
  const [first] = errors
  if (first === undefined && leftOut.length > 0)
    return { totals, proof, ...more, stopped: true, error: leftOutEnding(leftOut) }
  if (first === undefined) return { totals, proof }
  if (tables.length === 1)
    return { totals, proof, ...more, error: first, next: continueCommand(first, run.commandLine) }
  const isOne = errors.every(({ code }) => code === first.code)
  const next = isOne ? continueCommand(first, run.commandLine) : run.commandLine
  return { totals, proof, ...more, error: errorOfAll(errors, tables.length, first), next }
}

/** If all errors are refusals, the run is refused; otherwise it has failed. */
function errorOfAll(errors: readonly SluiceError[], tables: number, first: SluiceError): SluiceError {
  if (errors.every(({ kind }) => kind === 'unsupported' || kind === 'state' || kind === 'usage')) return first
  if (errors.every(({ code }) => code === 'ROWS_EXTRA'))
    return errors.length === 1
      ? first
      : new SluiceError(
          'ROWS_EXTRA',
          `${errors.length} of ${tables} tables have rows that are not in the source; none of them was removed`,
          { hint: 'run the command for each of these tables alone, with --confirm=TABLE to remove them' },
        )
  const rowsAreThere = errors.every(({ code }) => code === 'OBJECTS_FAILED')
  const want = rowsAreThere ? ': only indexes or constraints are missing' : ''
  return new SluiceError(
    'TABLES_FAILED',
    `${errors.length} of ${tables} tables are not complete in the target${want}`,
    {
      hint: 'correct the cause for each failed table, then run the same command again: it does only what is not done',
    },
  )
}

/** Command that continues the copy: the same command, for some errors with one more option. Confirms one table. */
function continueCommand({ code, where }: SluiceError, commandLine: string): string {
  if (code === 'COUNTS_DIFFER') return `${commandLine} --again`
  if (code === 'ROWS_EXTRA' && where !== undefined && !commandLine.includes(' --confirm'))
    return `${commandLine} --confirm=${shellQuote(where)}`
  return commandLine
}

/** Totals of `--again` over all tables; empty without it. */
function againTotals(tables: readonly TableRun[]): Readonly<Record<string, string>> {
  const all = tables.flatMap(({ again }) => again?.tally ?? [])
  if (all.length === 0) return {}
  const names = ['compared', 'differed', 'mended', 'removed', 'extra', 'newer'] as const
  const sums = names.map((name) => [name, all.reduce((sum, one) => sum + one[name], 0n)] as const)
  return Object.fromEntries(sums.flatMap(([name, sum]) => (name === 'newer' && sum === 0n ? [] : [[name, dec(sum)]])))
}

/**
 * Proof to report: the proof of this run's own chunks; `count` if it has none and only counted chunks of earlier runs;
 * `earlier` if it did not count these. Chunks that were copied with a weaker proof determine the result for all.
 */
function proofOf(
  { verify, noLook }: CopyOperation,
  { proved, earlier, unproved, counted, looked: inspected }: Omit<Tallies, 'chunks'>,
): string {
  if (verify === 'none' || earlier === 0n) return verify
  if (unproved > 0n && inspected === 0n) return 'none'
  if (unproved + counted > 0n) return 'count'
  if (noLook === true || (proved === 0n && inspected === 0n)) return 'earlier'
  return proved === 0n ? 'count' : verify
}

function leftOutEnding(tables: readonly string[]): SluiceError {
  const shown = tables.length <= 3 ? tables.join(', ') : `${tables.length} tables`
  return new SluiceError('STOPPED', `skipped on request, and so not finished: ${shown}`, {
    hint: 'run the same command to copy what was skipped',
  })
}
