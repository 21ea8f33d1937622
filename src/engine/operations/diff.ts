/** `diff`: any table of one store against one of another, key by key; with `--fix` the target is mended, and `--undo` takes a repair back. */
import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { tableText } from '../../model/copy/column-type.ts'
import type { TablePlan } from '../../model/copy/plan.ts'
import { EVERY_KEY, rangeText, type Bound, type Range } from '../../model/copy/range.ts'
import { dec } from '../../model/event.ts'
import { asSluiceError, SluiceError } from '../../shared/errors.ts'
import { redactUrl } from '../../shared/redact.ts'
import type { CopyStore, Extent, LedgerDatabase, SourceView } from '../../stores/copy-port.ts'
import { compareRange, differenceOf, type Compared, type Difference, type Found } from '../copy/diff/compare.ts'
import { repairKeys, type Repairing } from '../copy/diff/repair.ts'
import { DiffProgress } from '../copy/diff/progress.ts'
import { rowsByKey, sourceRequest, targetRequest, type Sides } from '../copy/diff/sides.ts'
import { noteRepairPlan } from '../copy/ledger/repair-plans.ts'
import { RunLedger } from '../copy/ledger/runs.ts'
import { prepareLedger } from '../copy/ledger/schema.ts'
import { openCopyStore, openSourceStore } from '../copy/open-stores.ts'
import { recorded } from '../copy/recorded.ts'
import { planCopy } from '../copy/plan/plan-copy.ts'
import { hashOf } from '../copy/plan/table-plan.ts'
import type { CopyOperation, DiffOperation } from '../operation.ts'
import type { Ending, Run } from '../run-context.ts'

/** Rows of a range that is summed at once. */
const SEGMENT_ROWS = 200_000
const RECHECK_AFTER_MS = [250, 1000]
const KEYS_A_REPAIR = 200
/** Keys that are looked at once more; where more differ, that they do is no matter of a moment. */
const MOST_RECHECKED = 20_000

type Outcome = {
  rows: bigint
  targetRows: bigint
  missing: bigint
  extra: bigint
  different: bigint
  fixed: bigint
  ranges: bigint
}

export async function diff(operation: DiffOperation, run: Run): Promise<Ending> {
  await using from = await openSourceStore(operation.from)
  await using to = await openCopyStore(operation.to, {
    mode: operation.fix ? 'write' : 'read',
  })
  await using database = operation.fix ? await to.ledger() : noDatabase()
  const runId = BigInt(run.runId)
  const owner = { id: randomUUID(), host: run.host, pid: process.pid, runId }
  const runs = database === null ? null : new RunLedger(database, owner)
  if (database !== null) await prepareLedger(database)
  const row = {
    operation: 'diff',
    source: redactUrl(operation.from),
    target: redactUrl(operation.to),
    planHash: '',
    command: run.commandLine,
    tool: run.tool,
    actor: run.actor,
  }
  return await recorded(runs, row, () => diffAll(operation, { from, to, database, runId }, run))
}

async function diffAll(
  operation: DiffOperation,
  { from, to, database, runId }: Pick<Around, 'from' | 'to' | 'database' | 'runId'>,
  run: Run,
): Promise<Ending> {
  await using source = await from.source(run.interrupt.abort)
  const planned = await planCopy(wishes(operation), from, to, source, run.interrupt.abort)
  run.emit({
    type: 'plan.ready',
    hash: hashOf(planned.tables.map(({ plan, error }) => plan?.hash ?? error?.code)),
    tables: dec(planned.tables.length),
    chunks: '0',
    unit: 'row',
    total: dec(planned.tables.reduce((all, { extent }) => all + extent.rows, 0n)),
    estimated: planned.tables.some(({ extent }) => !extent.exact),
    bytes: '0',
    excluded: [],
  })
  await using target = await to.source(run.interrupt.abort)
  const sum: Outcome = { rows: 0n, targetRows: 0n, missing: 0n, extra: 0n, different: 0n, fixed: 0n, ranges: 0n }
  const errors: SluiceError[] = []
  let equalTables = 0
  for (const table of planned.tables) {
    if (run.interrupt.stop.aborted) return { totals: totalsOf(sum, planned.tables.length, equalTables), stopped: true }
    const begun = run.clock.ticks()
    const name = tableText(table.source.table)
    try {
      if (table.plan === null) throw table.error
      if (table.plan.create)
        throw new SluiceError('NO_SUCH_TABLE', `the target has no table ${tableText(table.targetName)}`)
      const one = await diffTable(
        operation,
        table.plan,
        table.extent,
        { from, to, source, target, database, runId },
        run,
      )
      for (const key of Object.keys(sum) as (keyof Outcome)[]) sum[key] += one[key]
      const open = one.missing + one.extra + one.different + one.ranges - one.fixed
      if (open === 0n) equalTables++
      run.emit({
        type: 'table.finished',
        table: name,
        status: open === 0n ? 'ok' : 'failed',
        ms: Math.round(run.clock.ticks() - begun),
        notes: [
          `${one.rows} rows in the source, ${one.targetRows} in the target: ${one.missing} missing, ${one.extra} extra, ${one.different} different` +
            (operation.fix ? `, ${one.fixed} mended` : ''),
        ],
      })
    } catch (thrown) {
      const error = asSluiceError(thrown)
      if (error.kind === 'stopped' || error.code === 'INTERNAL') throw thrown
      errors.push(error)
      run.emit({
        type: 'table.finished',
        table: name,
        status: 'failed',
        ms: Math.round(run.clock.ticks() - begun),
        error: error.info(),
      })
    }
  }
  const totals = totalsOf(sum, planned.tables.length, equalTables)
  const [failed] = errors
  // What could not be compared is not equal.
  if (failed !== undefined) return { totals, error: failed }
  const open = sum.missing + sum.extra + sum.different + sum.ranges - sum.fixed
  if (open === 0n) return { totals }
  return {
    totals,
    error: new SluiceError('DIFFERENCES', open === 1n ? 'one row differs' : `${open} rows differ`, {
      hint: operation.fix
        ? 'rows that only the target has stay unless --delete-extra is given'
        : sum.missing + sum.different === 0n
          ? 'sluice diff --fix --delete-extra removes what only the target has, and notes it first'
          : 'sluice diff --fix mends the target, and notes what it held before',
    }),
  }
}

type Around = {
  readonly from: CopyStore
  readonly to: CopyStore
  readonly source: SourceView
  readonly target: SourceView
  readonly database: LedgerDatabase | null
  readonly runId: bigint
}

async function diffTable(
  operation: DiffOperation,
  plan: TablePlan,
  extent: Extent,
  around: Around,
  run: Run,
): Promise<Outcome> {
  const { source, target } = around
  const name = tableText(plan.source.table)
  const ranges = plan.sortsAlike ? Math.max(1, Math.ceil(Number(extent.rows) / SEGMENT_ROWS)) : 1
  const progress = new DiffProgress(name, { rows: extent.rows, estimated: !extent.exact, ranges }, run.emit, run.clock)
  const sides: Sides = { plan, source, target, signal: run.interrupt.abort }
  const outcome: Outcome = { rows: 0n, targetRows: 0n, missing: 0n, extra: 0n, different: 0n, fixed: 0n, ranges: 0n }
  const suspects: Difference[] = []
  let more = 0
  const found = async (what: Found): Promise<void> => {
    progress.found()
    if (what.kind === 'range') {
      outcome.ranges += 1n
      run.emit({
        type: 'log',
        level: 'error',
        table: name,
        message: `${rangeText(what.range)}: ${what.source} rows in the source and ${what.target} in the target differ, and nothing tells them apart`,
      })
    } else if (suspects.length < MOST_RECHECKED) suspects.push(what.difference)
    else {
      more++
      outcome[what.difference.kind] += 1n
    }
  }
  for await (const range of segments(sides, run)) {
    const one: Compared = await compareRange(sides, range, found, progress)
    outcome.rows += one.rows
    outcome.targetRows += one.targetRows
  }
  progress.step('looking again')
  const differences = await stillDifferent(plan, suspects, around, run)
  if (differences.length < suspects.length) progress.step('looking again', differences.length + more)
  for (const [i, difference] of differences.entries()) {
    outcome[difference.kind] += 1n
    if (i < operation.limit) {
      const { key, kind, columns } = difference
      run.emit({ type: 'difference', table: name, key, difference: kind, ...(columns.length === 0 ? {} : { columns }) })
    }
  }
  if (more > 0 || differences.length > operation.limit) {
    run.emit({
      type: 'log',
      level: 'note',
      table: name,
      message: `${differences.length + more - Math.min(operation.limit, differences.length)} more differences are counted and not named`,
    })
  }
  if (operation.fix) progress.step('mending')
  if (operation.fix) outcome.fixed = await fix(operation, sides, differences, around, run)
  return outcome
}

/** Parts of the table that are compared one after the other; open at both ends, so that rows outside the source's keys are found. */
async function* segments(sides: Sides, run: Run): AsyncGenerator<Range> {
  const { plan, source, signal } = sides
  if (plan.source.key.length === 0) {
    yield { by: 'all' }
    return
  }
  if (plan.sortsAlike) {
    for await (const range of source.cut(plan.source, EVERY_KEY, plan.where ?? null, SEGMENT_ROWS, signal)) {
      if (run.interrupt.stop.aborted) return
      yield range
    }
  } else yield EVERY_KEY
  if (plan.source.columns.some(({ name, nullable }) => nullable && plan.source.key.includes(name)))
    yield { by: 'nullKey' }
}

/** A table that is written to shows rows on their way as differences: they are looked at again, with fresh eyes. */
async function stillDifferent(
  plan: TablePlan,
  suspects: readonly Difference[],
  { from, to }: Around,
  run: Run,
): Promise<readonly Difference[]> {
  let left = suspects
  for (const wait of RECHECK_AFTER_MS) {
    if (left.length === 0) return left
    await sleep(wait, undefined, { signal: run.interrupt.abort }).catch(() => undefined)
    await using source = await from.source(run.interrupt.abort)
    await using target = await to.source(run.interrupt.abort)
    const sides: Sides = { plan, source, target, signal: run.interrupt.abort }
    const again: Difference[] = []
    for (let at = 0; at < left.length; at += KEYS_A_REPAIR) {
      const keys = left.slice(at, at + KEYS_A_REPAIR).map(({ key }) => key)
      again.push(...(await lookAgain(sides, keys)))
    }
    // Nothing has moved: what differs differs.
    if (again.length === left.length) return again
    left = again
  }
  return left
}

async function lookAgain(sides: Sides, keys: readonly Bound[]): Promise<readonly Difference[]> {
  const { plan, signal } = sides
  const range = { by: 'keys', keys } as const
  const [source, target] = await Promise.all([
    rowsByKey(sides.source, sourceRequest(sides, range), plan, signal),
    rowsByKey(sides.target, targetRequest(sides, range), plan, signal),
  ])
  const texts = new Set([...source.keys(), ...target.keys()])
  return [...texts].flatMap((text) => differenceOf(plan, source.get(text), target.get(text)) ?? [])
}

async function fix(
  operation: DiffOperation,
  sides: Sides,
  differences: readonly Difference[],
  { to, database, runId, from }: Around,
  run: Run,
): Promise<bigint> {
  if (database === null || differences.length === 0) return 0n
  const { plan } = sides
  const table = { schema: plan.target.table.schema ?? '', name: plan.target.table.name }
  await noteRepairPlan(database, runId, table, plan)
  const around: Repairing = {
    to,
    database,
    key: table,
    runId,
    signal: run.interrupt.abort,
  }
  await using source = await from.source(run.interrupt.abort)
  let fixed = 0n
  for (let at = 0; at < differences.length && !run.interrupt.stop.aborted; at += KEYS_A_REPAIR) {
    const keys = differences.slice(at, at + KEYS_A_REPAIR).map(({ key }) => key)
    await using target = await to.source(run.interrupt.abort)
    fixed += BigInt(await repairKeys({ ...sides, source, target }, keys, around, operation.deleteExtra))
  }
  return fixed
}

function wishes(operation: DiffOperation): CopyOperation {
  const { from, to, tables, toSchema, toTable, columns, rename, where, key, workers } = operation
  return {
    kind: 'copy',
    from,
    to,
    tables,
    rename,
    ...(toSchema === undefined ? {} : { toSchema }),
    ...(toTable === undefined ? {} : { toTable }),
    ...(columns === undefined ? {} : { columns }),
    ...(where === undefined ? {} : { where }),
    ...(key === undefined ? {} : { key }),
    workers,
    onExisting: 'append',
    acceptLossy: [],
    acceptAllLossy: true,
    verify: 'chunk',
    maxAside: 0,
    restart: false,
    dryRun: true,
  }
}

function totalsOf(sum: Outcome, tables: number, equal: number): Readonly<Record<string, string>> {
  return {
    tables: dec(tables),
    ok: dec(equal),
    ...Object.fromEntries(Object.entries(sum).map(([name, value]) => [name, dec(value)])),
  }
}

function noDatabase(): null {
  return null
}
