/**
 * Rows of the Runs screen: runs of this session, of this machine, of the queue, and of all open catalogs and ledgers,
 * the newest first.
 */
import type { MachineRun, SharedRun } from '../../../app/workbench.ts'
import type { CopyRunEvent, RunEvent } from '../../../model/run/event.ts'
import { msOf } from '../../../render/screen-format.ts'
import type { RunView } from '../../run/run-view.ts'
import type { State } from '../../state/state.ts'

export type ListedRun =
  /** From the queue of worker processes. */
  | { readonly kind: 'shared'; readonly run: SharedRun }
  | { readonly kind: 'here'; readonly run: RunView }
  | { readonly kind: 'machine'; readonly run: MachineRun }
  | { readonly kind: 'ledger'; readonly run: CopyRunEvent; readonly url: string }
  | { readonly kind: 'past'; readonly run: RunEvent }

export function runRows(state: State): readonly ListedRun[] {
  const { views, machine, ledgers } = state.runs
  const here = views.map((run): ListedRun => ({ kind: 'here', run })).toReversed()
  const seen = new Set(views.flatMap(({ runId }) => runId ?? []))
  const past = (state.slots.runs.value ?? []).filter((run) => !seen.has(run.run))
  const tables = new Map<string, number>()
  for (const { run } of past) tables.set(run, (tables.get(run) ?? 0) + 1)
  const booked = machine.filter(({ run }) => !seen.has(run))
  const known = new Set(booked.map(({ run }) => run))
  const ofLedgers = ledgers.flatMap(({ url, runs }) =>
    runs.filter(({ run }) => !seen.has(run) && !known.has(run)).map((run): ListedRun => ({ kind: 'ledger', run, url })),
  )
  const rows = [
    ...here,
    ...booked.map((run): ListedRun => ({ kind: 'machine', run })),
    ...(state.queue?.runs ?? []).map((run): ListedRun => ({ kind: 'shared', run })),
    ...ofLedgers,
    // For a run with several tables, a catalog has one row per table.
    ...past
      .filter(({ run }) => !known.has(run) || tables.get(run) !== 1)
      .map((run): ListedRun => ({ kind: 'past', run })),
  ]
  return rows.toSorted((a, b) => begunAt(b) - begunAt(a))
}

function begunAt(row: ListedRun): number {
  if (row.kind === 'here') return row.run.startedAt
  if (row.kind === 'machine' || row.kind === 'shared') return row.run.begunAt
  return msOf(row.run.startedAt) ?? 0
}

/** Index of the same run in the new list, where it may have another kind. Null if the list has no such run. */
export function sameRun(rows: readonly ListedRun[], was: ListedRun): number | null {
  const same = rows.findIndex((row) => row.kind === was.kind && isSame(row, was))
  const found = same >= 0 ? same : rows.findIndex((row) => keyOf(row) === keyOf(was))
  return found < 0 ? null : found
}

/**
 * True for rows of the same run. Runs of this program are compared by their local number, because they have no run id
 * at first.
 */
const isSame = (a: ListedRun, b: ListedRun): boolean =>
  a.kind === 'here' && b.kind === 'here' ? a.run.id === b.run.id : keyOf(a) === keyOf(b)

const keyOf = (row: ListedRun): string =>
  `${listedRunId(row) ?? (row.kind === 'here' ? row.run.id : '')} ${row.kind === 'past' ? row.run.table : ''}`

/** Run id of a row; null until known. */
export function listedRunId(row: ListedRun): string | null {
  return row.kind === 'here' || row.kind === 'shared' ? row.run.runId : row.run.run
}

/** Short description of what the run did. */
export function runMeaning(row: ListedRun): string {
  switch (row.kind) {
    case 'here':
      return row.run.operation.kind
    case 'shared':
      return `${row.run.kind} ${row.run.about}`
    case 'machine':
      return `${row.run.kind} ${row.run.about}`
    case 'ledger':
      return `${row.run.operation} ${row.run.target}`
    case 'past':
      return `${row.run.command} ${row.run.table}`
  }
}

/**
 * True if the row is a run of one of these operations. @param kinds such as `follow`, or `copy --follow` if a flag is
 * required
 */
export function isRunOf(row: ListedRun, kinds: readonly string[]): boolean {
  return kinds.some((kind) => {
    const [name = '', flag] = kind.split(' ')
    return name === kindOf(row) && (flag === undefined || (commandOf(row)?.split(' ').includes(flag) ?? true))
  })
}

function kindOf(row: ListedRun): string {
  if (row.kind === 'here') return row.run.operation.kind
  if (row.kind === 'machine' || row.kind === 'shared') return row.run.kind
  return row.kind === 'ledger' ? row.run.operation : row.run.command
}

/** Command line of the run; null if not recorded. */
function commandOf(row: ListedRun): string | null {
  return row.kind === 'here' || row.kind === 'machine' || row.kind === 'shared' ? row.run.commandLine : null
}

/** The queue run to which a run of this machine or of a ledger belongs as a task; null if unknown. */
export function sharedBy({ queue }: State, run: string): SharedRun | null {
  return queue?.runs.find(({ slotRuns }) => slotRuns.includes(run)) ?? null
}
