/** `batch-import`: imports every table below a folder, several at a time; a bad table does not stop the others. */
import { dec } from '../../../../model/run/event.ts'
import { SluiceError } from '../../../../shared/errors.ts'
import { WAIT_MS, retryWhileLocked, withWritableCatalog, type WritableCatalog } from '../../catalog-session.ts'
import { importInWorkers, type NamedOutcome } from '../../import/import-workers.ts'
import { stoppedEnding } from '../../../run/stopped-ending.ts'
import { planTables, reportPlan, type PlanTarget } from '../../import/plan.ts'
import { foldersInside, unsearchedText, shallowText, unsearchedError, UNSEARCHED_HINT, walkLake } from '../../walk.ts'
import type { Ending, RunOf } from '../../../run/run-context.ts'
import type { batchImport, BatchImportOperation } from './declaration.ts'

type BatchImportRun = RunOf<typeof batchImport>

export async function performBatchImport(operation: BatchImportOperation, run: BatchImportRun): Promise<Ending> {
  const { catalog: url, dryRun } = operation
  const { targets, excluded, unsearched } = await tablesBelow(operation, run)
  if (targets.length === 0) {
    if (unsearched.length > 0) throw unsearchedError(unsearched)
    throw new SluiceError('NO_LOG', 'No checkpoint or JSON files found', {
      where: operation.path,
      reason: 'Empty or missing _delta_log',
      hint: operation.recursive
        ? 'Verify table path and _delta_log contents'
        : 'Verify table path and _delta_log contents; --recursive searches sub-folders',
    })
  }
  const { waitMs = WAIT_MS } = operation
  const patient = retryWhileLocked(run, waitMs)
  const plan = await patient(() => planTables(targets, url, run, dryRun))
  reportPlan(plan, excluded, run, dryRun)
  if (dryRun) return endOfPlan(targets.length, plan.errors, unsearched)
  const body = async (catalog: WritableCatalog): Promise<Ending> => {
    const size = new Map(plan.lines.map((line) => [line.table, Number(line.logBytes ?? 0)]))
    const settings = { batchSize: operation.batchSize, allowRefused: false, waitMs }
    const lined = targets.map((target) => ({
      ...target,
      log: plan.logs.get(target.path),
      logBytes: size.get(target.name) ?? 0,
    }))
    const outcomes = await importInWorkers(catalog, url, lined, operation.parallel, settings, run)
    await catalog.indexes.finish()
    return endOfRun(targets.length, outcomes, targets.length - outcomes.length, unsearched)
  }
  return withWritableCatalog(url, run, operation.path, body, patient)
}

type TablesBelow = {
  readonly targets: readonly PlanTarget[]
  readonly excluded: readonly string[]
  /** Folders that could not be read; tables may be in them. */
  readonly unsearched: readonly string[]
}

/** Searches the folder, and reports the folders that it does not search. */
async function tablesBelow(operation: BatchImportOperation, run: BatchImportRun): Promise<TablesBelow> {
  const { path, only, recursive } = operation
  const targets: PlanTarget[] = []
  const excluded: string[] = []
  const unsearched: string[] = []
  const shallow: string[] = []
  const walked = { ...operation, signal: run.interrupt.stop, onShallow: (name: string) => void shallow.push(name) }
  for await (const found of walkLake(path, walked)) {
    if (found.kind === 'excluded') excluded.push(found.name)
    else if (found.kind === 'unreadable' || found.kind === 'unseen') {
      run.emit({ type: 'log', level: 'warn', message: unsearchedText(found) })
      const { name } = found
      const isAsked = only === undefined || only.some((table) => table === name || table.startsWith(`${name}/`))
      if (found.kind === 'unreadable' && isAsked) unsearched.push(name)
    } else if (found.kind === 'table' && (only === undefined || only.includes(found.name))) {
      targets.push({ name: found.name, path: found.path })
    }
  }
  const [first, ...others] = targets
  // Find the folders inside of a table only if no other table was found: this lists the table's folder completely.
  if (!recursive && first !== undefined && others.length === 0)
    shallow.push(...(await foldersInside(path, { kind: 'table', ...first }, walked)))
  if (shallow.length > 0 && first !== undefined && only === undefined)
    run.emit({ type: 'log', level: 'note', message: shallowText(shallow, 'searched for tables', 'searches') })
  return { targets, excluded, unsearched }
}

const unsearchedTotal = (unsearched: readonly string[]): Record<string, string> =>
  unsearched.length === 0 ? {} : { unsearched: dec(unsearched.length) }

function endOfRun(
  tables: number,
  outcomes: readonly NamedOutcome[],
  left: number,
  unsearched: readonly string[],
): Ending {
  const failed = outcomes.flatMap(({ name, error }) =>
    error === null || error.kind === 'stopped' ? [] : [{ name, error }],
  )
  const failures = failed.map(({ error }) => error)
  const refused = failures.filter((error) => error.kind === 'unsupported').length
  const stopped =
    left > 0 || outcomes.some(({ result, error }) => result?.status === 'stopped' || error?.kind === 'stopped')
  const current = outcomes.filter(({ result }) => result?.status === 'current').length
  const sum = (pick: (outcome: NamedOutcome) => number): string =>
    dec(outcomes.reduce((total, one) => total + pick(one), 0))
  const totals = {
    tables: dec(tables),
    ok: dec(outcomes.filter(({ result }) => result?.status === 'completed').length),
    current: dec(current),
    failed: dec(failures.length - refused),
    refused: dec(refused),
    actions: sum(({ result }) => result?.actions ?? 0),
    files: sum(({ result }) => result?.files ?? 0),
    bytes: sum(({ result }) => result?.bytes ?? 0),
    ...unsearchedTotal(unsearched),
  }
  if (stopped) return stoppedEnding(totals, failed, tables)
  const fatal = failures.find((error) => error.kind === 'target' && error.code !== 'TARGET_BUSY')
  if (fatal !== undefined) return { totals, error: fatal }
  return endOf(totals, failures, { tables, refused, unsearched })
}

function endOfPlan(tables: number, errors: ReadonlyMap<string, SluiceError>, unsearched: readonly string[]): Ending {
  const failures = [...errors.values()]
  const refused = failures.filter((error) => error.kind === 'unsupported').length
  const counts = { tables: dec(tables), failed: dec(failures.length - refused), refused: dec(refused) }
  return endOf({ ...counts, ...unsearchedTotal(unsearched) }, failures, { tables, refused, unsearched })
}

type Failed = { readonly tables: number; readonly refused: number; readonly unsearched: readonly string[] }

function endOf(totals: Record<string, string>, failures: readonly SluiceError[], counts: Failed): Ending {
  if (failures.length > 0) return { totals, error: failedError(failures, counts) }
  return counts.unsearched.length === 0 ? { totals } : { totals, error: unsearchedError(counts.unsearched) }
}

/** Error with exit code 6 if all failures are refusals and all folders were searched; otherwise with exit code 1. */
function failedError(failures: readonly SluiceError[], { tables, refused, unsearched }: Failed): SluiceError {
  if (refused === failures.length && unsearched.length === 0) {
    return new SluiceError(
      'TABLE_FEATURE',
      `${refused} of ${tables} tables need a feature that sluice does not support`,
      {
        hint: 'skip these tables with --exclude; their table.finished lines name the features',
      },
    )
  }
  const more = refused > 0 ? `, ${refused} refused` : ''
  const message = `${failures.length - refused} of ${tables} tables failed${more}`
  const again =
    'correct the cause for each failed table, then run the same command again: tables that are done are not read again'
  if (unsearched.length === 0) return new SluiceError('TABLES_FAILED', message, { hint: again })
  return new SluiceError('TABLES_FAILED', `${message}; ${unsearchedError(unsearched).message}`, {
    hint: `${again}; ${UNSEARCHED_HINT}`,
  })
}
