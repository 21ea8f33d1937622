/** Summary below the list on a small screen: the row under the cursor, its last runs, and totals. */
import { isInCatalog, type TableRow } from '../../../model/lake/answers.ts'
import type { RelationEvent } from '../../../model/run/event.ts'
import { bytes, amount, timeOfDay, msOf } from '../../../render/screen-format.ts'
import { rule, span, type Line, type Span } from '../../draw/line.ts'
import { cutEnd } from '../../../render/screen-text.ts'
import { knownValue } from '../../state/selectors.ts'
import type { State } from '../../state/state.ts'
import { cursorRow } from './tables-list.ts'
import { storeSummary } from './store-lines.ts'
import { relationSummary } from './relations.ts'
import { shortFeature, syncText } from '../../views/states.ts'
import { lastRuns } from './last-runs.ts'
import type { ErrorInfo } from '../../../shared/errors.ts'
import { titleOf } from '../../../engine/run/systems.ts'

/** Totals of all tables by state; `≥` if the bytes of some are unknown. */
function tally(rows: readonly TableRow[]): string {
  let size = 0
  const counts = { current: 0, behind: 0, truncated: 0, stopped: 0, running: 0, unreadable: 0, notYet: 0, away: 0 }
  for (const row of rows) {
    size += row.bytes ?? 0
    if (row.kind !== 'delta') continue
    if (row.error !== null || row.catalog.state === 'failed') counts.unreadable += 1
    else if (row.catalog.state === 'none') counts.notYet += 1
    else if (row.catalog.state === 'unfinished') counts.stopped += 1
    else counts[row.catalog.state] += 1
  }
  const some = (n: number, word: string): string[] => (n > 0 ? [`${n} ${word}`] : [])
  return [
    `${rows.some((row) => row.bytes === null) ? '≥ ' : ''}${bytes(size)}`,
    ...(counts.away > 0 ? ['what the catalog holds is not known'] : [`${counts.current} current`]),
    ...some(counts.behind, 'behind'),
    ...some(counts.truncated, 'truncated'),
    ...some(counts.running, 'running'),
    ...some(counts.stopped, 'stopped'),
    ...some(counts.unreadable, 'unreadable'),
    ...some(counts.notYet, 'not yet'),
  ].join(' · ')
}

/** Why the catalog cannot be reached, the most important part first, since the line is cut. */
const unreachableReason = ({ message, reason, where, hint }: ErrorInfo): string =>
  [reason ?? message, where, hint].filter((part) => part !== undefined).join(' · ')

const rowsOf = (state: State, url: string): readonly RelationEvent[] =>
  state.databases.find((database) => database.url === url)?.relations ?? []

/** The three lines of the summary: the row, its last runs, and totals. */
export function tablesSummary(state: State, cells: number): Line[] {
  const rows = state.slots.tables.value ?? []
  const row = cursorRow(state)
  if (row === null) return [rule('', cells)]
  if (row.kind === 'store') return storeSummary(state, row, cells)
  if (row.kind === 'relation') return relationSummary(row.relation, rowsOf(state, row.url), cells)
  const label = (text: string): Span => span(` ${text.padEnd(9)}`, 'muted')
  const overview = knownValue(state, 'overview', row.key)
  const facts: string[] = []
  if (row.system !== undefined) facts.push(`${titleOf(row.system)} database`, row.location)
  else if (row.error !== null) facts.push(`${row.error.code} ${row.error.message}`)
  else {
    facts.push(amount(overview?.commits ?? null, 'commit'))
    if (row.partitionColumns.length > 0) facts.push(`by ${row.partitionColumns.join(',')}`)
    if (row.features.length > 0) facts.push(row.features.map(shortFeature).join(', '))
    if (isInCatalog(row)) facts.push(`catalog answers from ${row.historyFrom === null ? '?' : `v${row.historyFrom}`}`)
  }
  const runs = lastRuns(state, row.name)
    .slice(0, 2)
    .map((run) =>
      `${run.command} ${timeOfDay(msOf(run.startedAt)).slice(0, 5)} ${run.status} ${run.duration}`.trimEnd(),
    )
  const sync = syncText(state, row)
  const hint = row.error?.hint ?? (row.catalog.state === 'away' ? unreachableReason(row.catalog.error) : undefined)
  return [
    rule('', cells),
    [span(` ${cutEnd(row.name, Math.max(20, cells - 30))}  `, 'strong'), span(facts.join(' · '))],
    hint === undefined
      ? sync === null
        ? [label('last run'), span(runs.length === 0 ? 'none recorded' : runs.join(' · '))]
        : [label('sync'), span(sync.text, sync.tone)]
      : [label(row.error === null ? 'catalog' : 'do'), span(hint)],
    [label('in all'), span(tally(rows))],
  ]
}
