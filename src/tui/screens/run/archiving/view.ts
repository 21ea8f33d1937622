/** The Run screen of an archive run and of a restore. */
import { block, rule, span, type Line } from '../../../draw/line.ts'
import { clean, cutEnd, wrap } from '../../../../render/screen-text.ts'
import type { ArchiveProgress } from '../../../run/archiving/archive-progress.ts'
import { outcomeText } from '../../../run/archiving/outcome.ts'
import type { RunView } from '../../../run/run-view.ts'
import { archiveLayout } from './archive-layout.ts'
import { shownPartition } from './archive-shown.ts'
import { geometry } from '../../../state/geometry.ts'
import type { State } from '../../../state/state.ts'
import { logLines } from '../../tables/activity.ts'
import { minuteChart } from '../minute-chart.ts'
import { archiveHead } from './head.ts'
import { partitionListLines } from './partitions.ts'
import { partitionFacts } from './texts.ts'

/** The screen, `cells` wide and as high as the body. */
export function archiveScreen(state: State, run: RunView, archiving: ArchiveProgress, cells: number): Line[] {
  const { body } = geometry(state)
  const layout = archiveLayout(state, run)
  const lines = archiveHead(state, run, archiving, cells, layout.wide)
  const gap = (): void => {
    if (layout.wide) lines.push([])
  }
  if (layout.chart > 0) lines.push([], ...minuteChart(run, cells, layout.chart, state.ascii))
  lines.push([], ...block(partitionListLines(state, run, archiving, layout.list, cells), cells, layout.list + 2))
  if (layout.detail > 0) {
    gap()
    lines.push(...block(detail(state, run, archiving, cells), cells, layout.detail + 1))
  }
  if (layout.ending > 0) {
    gap()
    lines.push(...block(ending(run, cells), cells, layout.ending))
  }
  if (layout.log > 0) {
    gap()
    const entries = state.log.entries.slice(-layout.log)
    const newest = entries.flatMap((entry) => logLines({ ...entry, text: cutEnd(entry.text, cells - 11) }, cells))
    lines.push(rule('log', cells), ...newest)
  }
  return block(lines, cells, body)
}

/** Details of the partition under the cursor. */
function detail(state: State, run: RunView, archiving: ArchiveProgress, cells: number): Line[] {
  const partition = shownPartition(state, run)
  if (partition === null) return []
  const facts = partitionFacts(partition, archiving).flatMap(([label, text]): Line[] =>
    labelled(label, text, label === 'failed' ? 'bad' : label === 'do' ? 'strong' : 'plain', cells),
  )
  return [rule(clean(`${partition.table} ${partition.name}`), cells), ...facts]
}

function ending(run: RunView, cells: number): Line[] {
  const { finished } = run
  if (finished === null) return []
  const { error, status, exitCode } = finished
  const tone = status === 'ok' ? 'ok' : status === 'stopped' ? 'warn' : 'bad'
  const why = error === undefined ? outcomeText(finished, '') : `${error.code} ${error.message}`
  return [
    ...labelled('end', `${status}, exit ${exitCode}${why === '' ? '' : ` · ${why}`}`, tone, cells),
    ...(error?.hint === undefined ? [] : labelled('do', error.hint, 'strong', cells)),
    ...(finished.resumeCommand === undefined ? [] : labelled('next', finished.resumeCommand, 'plain', cells)),
  ]
}

function labelled(
  label: string,
  text: string,
  tone: 'plain' | 'ok' | 'warn' | 'bad' | 'strong',
  cells: number,
): Line[] {
  return wrap(clean(text), Math.max(20, cells - 11)).map((row, i): Line => [
    span(` ${(i === 0 ? label : '').padEnd(9)}`, 'muted'),
    span(row, tone),
  ])
}
