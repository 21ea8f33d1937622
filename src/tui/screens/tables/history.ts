/** The History tab: one row per commit, and details of the commit under the cursor. */
import type { CommitDetail } from '../../../model/lake/answers.ts'
import type { CommitEvent } from '../../../model/run/event.ts'
import { bytes, shownCount, shownTime, msOf, numberOf } from '../../../render/screen-format.ts'
import { block, cell, line, rule, span, type Line, type Span } from '../../draw/line.ts'
import { clean, cutMiddle, padEnd, shortFile } from '../../../render/screen-text.ts'
import { marksOf } from '../../draw/theme.ts'
import { tabRows } from '../../state/geometry.ts'
import { failure, dataIdentity, knownValue } from '../../state/selectors.ts'
import type { State } from '../../state/state.ts'
import { commitsChart, partitionsChart, sizesChart, stacked } from './charts.ts'
import { loadedPage, pageRows, waitingLines } from './rows.ts'

const VERSION = 9
const TIME = 11
const WHAT = 9

/** `+12`, `−4`, and '' for zero: a column of zeros would hide the changes. */
const signed = (n: number | null, sign: string): string => (n === null ? '?' : n === 0 ? '' : `${sign}${shownCount(n)}`)

function delta(commit: CommitEvent): string {
  const added = numberOf(commit.addedBytes)
  const removed = numberOf(commit.removedBytes)
  if (added === null || removed === null) return '?'
  const net = added - removed
  return net === 0 ? '0 B' : `${net > 0 ? '+' : ''}${bytes(net)}`
}

function rowLine(state: State, commit: CommitEvent, here: boolean, wide: boolean, engine: boolean): Line {
  const marks = marksOf(state.ascii)
  const front = `${here ? marks.row : ' '}${commit.checkpoint ? marks.checkpoint : ' '}`
  const parts: Span[] = [
    span(front, commit.checkpoint ? 'info' : 'plain'),
    cell(commit.version, -VERSION),
    span(`  ${padEnd(shownTime(msOf(commit.time), state.now), TIME)} `),
    span(padEnd(clean(commit.operation ?? '?'), WHAT)),
    cell(signed(numberOf(commit.adds), '+'), -6, 'ok'),
    cell(signed(numberOf(commit.removes), '−'), -6, 'warn'),
    cell(delta(commit), -11),
  ]
  if (wide) parts.push(cell(shownCount(numberOf(commit.files)), -11))
  if (engine) parts.push(span(`  ${clean(commit.engine ?? '?')}`))
  return parts
}

function filesOf(detail: CommitDetail, cells: number, rows: number): Line[] {
  const entries = [
    ...detail.added.map((f) => ({ ...f, sign: '+', tone: 'ok' as const })),
    ...detail.removed.map((f) => ({ ...f, sign: '−', tone: 'warn' as const })),
  ]
  const total = detail.addedTotal + detail.removedTotal
  const room = total > rows ? rows - 1 : rows
  const shown = entries.slice(0, room)
  const path = Math.max(10, cells - 26)
  const lines = shown.map((f): Line => [
    span(` ${f.sign} `, f.tone),
    span(padEnd(cutMiddle(shortFile(clean(f.path)), path), path)),
    span(bytes(f.size).padStart(10)),
    span(shownCount(f.rows).padStart(12)),
  ])
  if (total > shown.length) lines.push(line(` … ${shownCount(total - shown.length)} more · enter shows them`, 'muted'))
  return lines
}

function commitLines(state: State, cells: number, rows: number): Line[] {
  const identity = dataIdentity(state, 'commit')
  const detail = knownValue(state, 'commit', identity)
  if (detail === null) {
    const wrong = failure(state, 'commit', identity)
    return [rule('commit', cells), line(wrong === null ? ' reading …' : ` ${wrong}`, wrong === null ? 'muted' : 'bad')]
  }
  const { commit } = detail
  const title = `commit ${commit.version} · ${clean(commit.operation ?? '?')} · ${shownTime(msOf(commit.time), state.now)}${commit.inCommitTime ? ' · in-commit time' : ''}`
  const facts: string[] = []
  if (detail.predicate !== null) facts.push(`predicate  ${detail.predicate}`)
  if (detail.user !== null) facts.push(`user  ${detail.user}`)
  const metrics = detail.metrics.map(([k, v]) => `${k} ${v}`).join(' · ')
  const head: Line[] = []
  if (facts.length > 0) head.push(line(` ${clean(facts.join('   '))}`))
  if (metrics !== '') head.push(line(` ${clean(metrics)}`))
  return [rule(title, cells), ...head, ...filesOf(detail, cells, Math.max(1, rows - 1 - head.length))]
}

/** The tab in `cells` × `rows`. */
export function historyTab(state: State, cells: number, rows: number): Line[] {
  const page = loadedPage(state, 'history')
  const marks = marksOf(state.ascii)
  const wide = cells >= 84
  const engine = cells >= 70
  const head = `   ${`VER ${marks.down}`.padStart(VERSION)}  ${'TIME'.padEnd(TIME)}${'OPERATION'.padEnd(WHAT)}${'ADD'.padStart(6)}${'REM'.padStart(6)}${'BYTES'.padStart(11)}${wide ? 'FILES'.padStart(11) : ''}${engine ? '  ENGINE' : ''}`
  const { list, below } = tabRows('history', rows)
  if (page === null) return block([line(head, 'strong'), ...waitingLines(state, 'history', cells)], cells, rows)
  const body = pageRows(state, page, state.detail.at.history, list, cells, (row, here) =>
    rowLine(state, row, here, wide, engine),
  )
  const lines = [line(head, 'strong'), ...body]
  if (page.total === 0) lines[1] = line('   no commit is known', 'muted')
  if (below > 0) {
    lines.push(...block(commitLines(state, cells, 8), cells, 9))
    const overview = knownValue(state, 'overview', state.detail.key ?? '')
    if (below > 9)
      lines.push(
        ...stacked([
          commitsChart(overview, cells, state.ascii),
          sizesChart(overview, cells, state.ascii),
          partitionsChart(state, cells),
        ]),
      )
  }
  return block(lines, cells, rows)
}
