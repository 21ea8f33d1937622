/** Queries on the state that several views, reducers and conditions use. */
import type { LoadState, DataName, DataValues, State } from './state.ts'
import type { QuestionEvent } from '../../model/run/event.ts'
import { isRunning, type RunView } from '../run/run-view.ts'
import { matches } from '../screens/tables/tables-list.ts'
import { isRunShownOn } from '../run/run-screen.ts'

/** The active run of this program. */
export function activeRun(state: State): RunView | undefined {
  const last = state.runs.views.findLast(({ joined }) => joined === null)
  return isRunning(last) ? last : undefined
}

/** The open run of another program while it is active. */
export function joinedRun(state: State): RunView | undefined {
  const open = state.screen === 'runs' ? openRun(state) : null
  return open !== null && open.joined !== null && isRunning(open) ? open : undefined
}

/** The run that keys steer: the open run of another program, else the active run of this program. */
export function steeredRun(state: State): RunView | undefined {
  // On the queue screen keys steer the open queue run instead.
  if (state.screen === 'queue') return undefined
  return joinedRun(state) ?? activeRun(state)
}

/** The run whose screen is open, or null. */
export function openRun(state: State): RunView | null {
  if (state.runs.open === null) return null
  return state.runs.views.find((run) => run.id === state.runs.open) ?? null
}

/** The value of one kind of data, if it belongs to `identity`, however old it is; null otherwise. */
export function knownValue<K extends DataName>(state: State, name: K, identity: string): DataValues[K] | null {
  const slot = state.slots[name] as LoadState<DataValues[K]>
  return slot.identity === identity ? slot.value : null
}

/** The error of the last read of one kind of data, if it belongs to `identity`; null otherwise. */
export function failure(state: State, name: DataName, identity: string): string | null {
  const slot = state.slots[name]
  return slot.identity === identity ? slot.error : null
}

/**
 * Identifies the data of one kind that the screen needs, such as table, version and sort order. If the result changes,
 * the data must be read again.
 */
export function dataIdentity(state: State, name: DataName): string {
  const d = state.detail
  const asOf = `v${d.asOf.version ?? ''}t${d.asOf.timestampMs ?? ''}`
  switch (name) {
    case 'tables':
    case 'runs':
      return name
    case 'overview':
    case 'schema':
    case 'features':
    case 'history':
      return d.key ?? ''
    case 'commit':
      return `${d.key ?? ''}|${selectedVersion(state) ?? ''}`
    case 'partitions':
    case 'largest':
      return `${d.key ?? ''}|${asOf}`
    case 'files':
      return `${d.key ?? ''}|${asOf}|${d.fileSort}${d.fileDescending ? '-' : '+'}|${d.where}`
  }
}

/** The version under the cursor of the History tab; null until read. */
export function selectedVersion(state: State): number | null {
  const page = knownValue(state, 'history', state.detail.key ?? '')
  const row = page?.rows[state.detail.at.history.cursor - page.from]
  return row === undefined ? null : Number(row.version)
}

export { runRows, type ListedRun } from '../screens/runs/run-rows.ts'

/** Log lines that pass the filter. */
export function logRows(state: State): State['log']['entries'] {
  const { entries, filter, errorsOnly } = state.log
  if (filter === '' && !errorsOnly) return entries
  return entries.filter((e) => (!errorsOnly || e.level === 'error' || e.level === 'warn') && matches(filter, e.text))
}

export type ShownComparison = {
  readonly run: RunView
  readonly table: string
  readonly questions: readonly QuestionEvent[]
}

/** Content of the Compare screen: the table of the last comparison, with the newest answer to each question. */
export function comparison(state: State): ShownComparison | null {
  const runs = state.runs.views.filter((run) => isRunShownOn(run.operation, 'compare'))
  const run = runs.at(-1)
  if (run === undefined) return null
  const table = tableOf(run)
  const questions = new Map<string, QuestionEvent>()
  for (const one of runs) {
    if (tableOf(one) !== table) continue
    for (const question of one.questions) questions.set(question.question, question)
  }
  return { run, table, questions: [...questions.values()] }
}

const tableOf = (run: RunView): string => (isRunShownOn(run.operation, 'compare') ? run.operation.table : '')

/** Visible results of a run; after the key `e`, only failed results. */
export function runResults(state: State, run: RunView): RunView['results'] {
  return state.runs.errorsOnly ? run.results.filter((r) => r.error !== undefined || r.status === 'failed') : run.results
}

/** Error codes for a catalog server that does not answer. */
export const CONNECTION = /^(?:CONNECT_FAILED|CONNECTION_LOST)\b/

/** True if the catalog did not answer the last read, so that the screen may be outdated. */
export function isCatalogUnreachable({ slots }: State): boolean {
  if (slots.tables.value?.some(({ catalog }) => catalog.state === 'away') === true) return true
  return CONNECTION.test(slots.tables.error ?? '') || CONNECTION.test(slots.runs.error ?? '')
}
